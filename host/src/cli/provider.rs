//! `walnut provider list|add|new-key|sign`: the components that speak with the platforms, and what each may do.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;
use zeroize::Zeroizing;

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::input;
use super::output::Output;
use super::show;
use crate::payment::model::Digest;
use crate::plugin::AuthorKey;

/// `walnut provider`
#[derive(Subcommand)]
pub(super) enum Provider {
    /// Show each provider with its manifest in words
    List(Listing),
    /// Add a component: first read what it may do, then approve exactly that component
    Add {
        /// The component; - is standard input
        file: String,
        /// The digest that was shown without this option
        #[arg(long, value_name = "DIGEST")]
        approve: Option<String>,
    },
    /// Make a key for signing components of your own; prints the public half, which operators name
    NewKey {
        /// Where the key is kept, for you alone to read
        file: PathBuf,
    },
    /// Sign a component, as its author
    Sign {
        /// The component; - is standard input
        file: String,
        /// The key that `new-key` made
        #[arg(long, value_name = "FILE")]
        key: String,
        /// Where the signed component goes
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

impl Provider {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Provider::List(listing) => {
                let data = client.call(Call::get(&["pay", "provider"])).await?;
                match data.as_array().filter(|_| !listing.json) {
                    Some(providers) => {
                        let told: Vec<String> = providers.iter().map(in_words).collect();
                        Ok(Output::text(told.join("\n")))
                    }
                    None => Ok(Output::json(&data)),
                }
            }
            Provider::NewKey { file } => new_key(&file),
            Provider::Sign { file, key, to } => sign(&file, &key, &to),
            Provider::Add {
                file,
                approve: None,
            } => inspect(client, &file).await,
            Provider::Add {
                file,
                approve: Some(digest),
            } => {
                let digest = Digest::parse(digest.trim()).ok_or_else(|| {
                    CliError::usage(format!("{digest:?} is no digest: give its 64 hex digits"))
                })?;
                let call = Call::new(Method::PUT, &["pay", "provider"])
                    .query("digest", digest.to_string())
                    .bytes(input::file(&file)?);
                Ok(Output::json(&client.call(call).await?))
            }
        }
    }
}

/// The head and foot of a private key in PEM.
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

fn new_key(file: &Path) -> Result<Output, CliError> {
    let failed = || CliError::usage("no key could be made");
    let (key, kept) = AuthorKey::generate().ok_or_else(failed)?;
    let [begin, end] = PEM;
    let pem = Zeroizing::new(format!("{}\n{}\n{}\n", begin, STANDARD.encode(&*kept), end));
    // A key that is there may have signed what hosts run: it stays.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
        .open(file)
        .and_then(|mut made| made.write_all(pem.as_bytes()))
        .map_err(|error| CliError::usage(format!("cannot write {}: {error}", file.display())))?;
    let author = key.author().ok_or_else(failed)?;
    Ok(Output::text(author.to_string()))
}

fn sign(file: &str, key: &str, to: &Path) -> Result<Output, CliError> {
    let pem = Zeroizing::new(input::text(key)?);
    let body: Zeroizing<String> = Zeroizing::new(
        pem.lines()
            .filter(|line| !PEM.contains(&line.trim()))
            .map(str::trim)
            .collect(),
    );
    let read = STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new);
    let key = read
        .and_then(|kept| AuthorKey::of_pkcs8(&kept))
        .ok_or_else(|| {
            CliError::usage(format!("{key} holds no key that `provider new-key` made"))
        })?;
    let component = input::file(file)?;
    // A signature is the last section of a component: there has to be one.
    if !component.starts_with(b"\0asm") {
        return Err(CliError::usage(format!("{file} is no component")));
    }
    let signed = key.sign(&component);
    std::fs::write(to, &signed)
        .map_err(|error| CliError::usage(format!("cannot write {}: {error}", to.display())))?;
    Ok(Output::text(format!("sha256 {}", Digest::of(&signed))))
}

async fn inspect(client: &Client, file: &str) -> Result<Output, CliError> {
    let component = input::file(file)?;
    let call = Call::new(Method::POST, &["pay", "provider", "inspect"]).bytes(component);
    let data = client.call(call).await?;
    let digest = data
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or("DIGEST");
    let how = format!(
        "Nothing is added yet. Read the above; if that is what it may do:\n  \
         walnut provider add {file} --approve {digest}"
    );
    Ok(Output {
        code: 2,
        ..Output::text(in_words(&data)).with_note(how)
    })
}

/// A provider's name, version and digest, and below them the sentences of its manifest.
fn in_words(provider: &Value) -> String {
    let text =
        |name: &str| show::on_one_line(provider.get(name).and_then(Value::as_str).unwrap_or("?"));
    let mut out = format!(
        "{} {}  sha256 {}\n",
        text("name"),
        text("version"),
        text("digest")
    );
    if let Some(author) = provider.get("author").and_then(Value::as_str) {
        out.push_str(&format!("  signed by {}\n", show::on_one_line(author)));
    }
    if let Some(why) = provider.get("refused").and_then(Value::as_str) {
        out.push_str(&format!("  does not run: {}\n", show::on_one_line(why)));
    }
    // The words come from the component's author: they may not draw over what stands above them.
    for words in provider
        .get("words")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out.push_str("  ");
        out.push_str(&show::on_one_line(words.as_str().unwrap_or_default()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_is_told_in_words() {
        let provider = json!({
            "name": "zfb", "version": "0.1.0", "digest": "ab12",
            "words": ["pay types: zfb.qrcode", "reaches openapi.alipay.com"],
        });
        assert_eq!(
            in_words(&provider),
            "zfb 0.1.0  sha256 ab12\n  pay types: zfb.qrcode\n  reaches openapi.alipay.com\n"
        );
        let refused = json!({
            "name": "zfb", "version": "0.1.0", "digest": "ab12", "words": [],
            "refused": "the component is\nnot signed",
        });
        let told = in_words(&refused);
        assert!(
            told.starts_with("zfb 0.1.0  sha256 ab12\n  does not run: the component is"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 2, "{told}");
    }
}
