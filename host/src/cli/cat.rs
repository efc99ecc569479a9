//! `walnut cat /var/payment/<id>`: a payment is a file, whose content is the callback bound to it.

use std::io::{self, IsTerminal};

use clap::Args;

use super::client::{Call, Client};
use super::error::CliError;
use super::obj::payment_id;
use super::output::Output;

/// `walnut cat`
#[derive(Args)]
pub(super) struct Cat {
    /// /var/payment/<id>
    path: String,
    /// Print a component even to a terminal
    #[arg(long)]
    force: bool,
}

impl Cat {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        let id = payment_id(&self.path)?
            .ok_or_else(|| CliError::usage("that is a folder: cat /var/payment/<id>"))?;
        let content = client
            .bytes(Call::get(&["pay", "ajax", "content"]).query("id", id))
            .await?;
        print(content, self.force)
    }
}

/// A callback's content as it is; to a terminal only where that is text, or wanted.
pub(super) fn print(content: Vec<u8>, force: bool) -> Result<Output, CliError> {
    if is_binary(&content) && io::stdout().is_terminal() && !force {
        return Err(CliError::usage(format!(
            "the content is a component of {} bytes, which would upset the terminal: write it into a \
             file with > FILE, or give --force",
            content.len()
        )));
    }
    Ok(Output {
        result: content,
        ..Output::default()
    })
}

fn is_binary(content: &[u8]) -> bool {
    std::str::from_utf8(content).map_or(true, |text| {
        text.chars().any(|c| c.is_control() && !c.is_whitespace())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_not_text() {
        assert!(is_binary(b"\0asm\x0d\0\x01\0"));
        assert!(is_binary(b"echo \x1b[2J"));
        assert!(!is_binary("// 支付成功\n\treturn {}\r\n".as_bytes()));
    }
}
