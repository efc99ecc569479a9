//! Schemes, templates and identities in English.

use super::{list, place, told, told_all};
use crate::trust::manifest::parts::IdentityRule;
use crate::trust::manifest::schemes::{
    Certificates, CertificatesAt, Encryption, KeyNames, Lines, Purpose, Scheme, SharedAlgorithm,
    SortedForm, SortedXml,
};
use crate::trust::manifest::templates::{SetValue, Template, TemplateKind};

pub(super) fn scheme_line(name: &str, scheme: &Scheme) -> String {
    match scheme {
        Scheme::SortedForm(rule) if rule.purpose == Purpose::Request => request_line(name, rule),
        Scheme::SortedForm(rule) => {
            let expect: String = rule
                .expect
                .iter()
                .map(|(field, value)| format!("; {field} must be {}", told(value)))
                .collect();
            format!(
                "Scheme {name}: a notification counts when its field {} signs all its fields but {} \
                 and is verified with {} (RSA, SHA-256){expect}.",
                rule.signature,
                list(&rule.omit, "and"),
                keys_words(&rule.key, rule.renewed_by.as_ref())
            )
        }
        Scheme::JsonSubstring(rule) => format!(
            "Scheme {name}: an answer counts when its member {} signs the member named after the \
             operation that was asked for (with {} behind it) and is verified with {} (RSA, \
             SHA-256){}.",
            told(&rule.signature),
            told(&rule.content_suffix),
            keys_words(&rule.key, rule.renewed_by.as_ref()),
            rule.decrypt
                .as_ref()
                .map_or_else(String::new, |key| format!(
                    "; one that is encrypted (AES-128-CBC) is opened with {key}"
                ))
        ),
        Scheme::Lines(rule) => lines_line(name, rule),
        Scheme::SortedXml(rule) => xml_line(name, rule),
        Scheme::Aead(rule) => format!(
            "Scheme {name}: what stands at {} in a statement of {} is decrypted with {} (AES-256-GCM).",
            place(&rule.ciphertext),
            rule.of,
            rule.key
        ),
        Scheme::Certificates(rule) => certificates_line(name, rule),
        Scheme::Bearer(rule) => {
            format!(
                "Scheme {name}: the host adds a token to a request; it fetches it by POST at {} of the same host with \
             the setting {} and the secret {}, and shows it to nobody.",
                rule.path, rule.user, rule.password
            ) + &match rule.headers.as_slice() {
                [] => String::new(),
                headers => format!(
                    " The provider may set the headers {}.",
                    list(headers, "and")
                ),
            }
        }
        Scheme::Webhook(rule) => format!(
            "Scheme {name}: a notification makes the host ask, and proves nothing, when its header {} signs a checksum \
             of it with the setting {} and is verified with a certificate that came by {} (RSA, SHA-256).",
            rule.headers.signature, rule.webhook, rule.renewed_by
        ),
        Scheme::AuthenticatedJson(rule) => format!(
            "Scheme {name}: an answer counts, without a signature, when the host authenticated the request by {}.",
            rule.request
        ),
    }
}

fn lines_line(name: &str, rule: &Lines) -> String {
    let keys = keys_words(&rule.key, rule.renewed_by.as_ref());
    if let Some(authorization) = &rule.authorization {
        let set: Vec<String> = authorization.set.iter().map(set_words).collect();
        return format!(
            "Scheme {name}: the host signs a request with {keys} (RSA, SHA-256): its method, path, time, a number used \
             once and body, into the header Authorization, and writes {} there.",
            list(&set, "and")
        );
    }
    let (signature, serial) = rule
        .headers
        .as_ref()
        .map_or(("", ""), |headers| (&*headers.signature, &*headers.serial));
    let what = match rule.purpose {
        Purpose::Notification => "a notification",
        _ => "an answer",
    };
    let probe = rule
        .headers
        .as_ref()
        .and_then(|headers| headers.probe.as_ref());
    let probe = probe.map_or_else(String::new, |probe| {
        format!(
            " One whose {signature} begins with {} is refused without a warning.",
            told(probe)
        )
    });
    format!(
        "Scheme {name}: {what} counts when its header {signature} signs time, number used once and body, is verified \
         with the key that {serial} names among {keys} (RSA, SHA-256), and is not {} s from the host's time.{probe}",
        rule.window_s.unwrap_or_default()
    )
}

fn xml_line(name: &str, rule: &SortedXml) -> String {
    let digest = match &rule.algorithm {
        SharedAlgorithm::Md5 => "MD5".to_owned(),
        SharedAlgorithm::HmacSha256 => "HMAC-SHA256".to_owned(),
        SharedAlgorithm::Setting(name) => format!("MD5 or HMAC-SHA256, as the setting {name} says"),
    };
    if rule.purpose == Purpose::Request {
        let set: Vec<String> = rule
            .set
            .iter()
            .map(set_words)
            .chain(rule.nonce.clone())
            .collect();
        return format!(
            "Scheme {name}: the host signs the fields of an XML request with the secret {} ({digest}), into {}; the \
             host itself writes {}.",
            rule.key,
            rule.signature,
            list(&set, "and")
        );
    }
    format!(
        "Scheme {name}: an XML answer counts when its field {} signs all others with the secret {} ({digest}).",
        rule.signature, rule.key
    )
}

fn certificates_line(name: &str, rule: &Certificates) -> String {
    let operations = list(&told_all(&rule.operations), "or");
    let proof = match (&rule.at, &rule.answer) {
        (CertificatesAt::Encrypted(list), Some(answer)) => {
            format!(
                "encrypted with {} (AES-256-GCM), signed by {answer}",
                list.key
            )
        }
        (CertificatesAt::Base64(pointer), Some(answer)) => {
            format!("at {}, signed by {answer}", place(pointer))
        }
        _ => "which is nothing else and comes over TLS from the platform itself".to_owned(),
    };
    let issuer = match rule.issuer.as_slice() {
        [] => "anybody".to_owned(),
        names => list(&told_all(names), "or"),
    };
    let authority = rule.authority.as_ref().map_or_else(String::new, |name| {
        format!(", by way of the authority in the setting {name} where a target has it")
    });
    format!(
        "Scheme {name}: the host takes the platform's new certificates out of an answer to {operations}, {proof}, while \
         they are valid and issued by {issuer}{authority}.",
    )
}

fn keys_words(keys: &KeyNames, renewed_by: Option<&String>) -> String {
    match renewed_by {
        Some(scheme) => format!("{keys}, or a certificate that came by {scheme}"),
        None => keys.to_string(),
    }
}

pub(super) fn identity_line(name: &str, rule: &IdentityRule) -> String {
    format!(
        "Identity {name}: where the provider asks for it, the host shows the certificate {} with the key {} in TLS.",
        rule.certificate, rule.key
    )
}

fn request_line(name: &str, rule: &SortedForm) -> String {
    let mut set: Vec<String> = rule.set.iter().map(set_words).collect();
    set.extend(
        rule.timestamp
            .iter()
            .map(|time| format!("{} (the time)", time.field)),
    );
    let encrypted = encrypted_words(rule.encrypt.as_ref());
    let set = if set.is_empty() {
        String::new()
    } else {
        format!("; the host itself writes {}", list(&set, "and"))
    };
    format!(
        "Scheme {name}: the host signs a request with {} (RSA, SHA-256), all fields but {}, into \
         {}{set}{encrypted}.",
        rule.key,
        list(&rule.omit, "and"),
        rule.signature
    )
}

fn encrypted_words(rule: Option<&Encryption>) -> String {
    rule.map_or_else(String::new, |rule| {
        format!(
            "; where the target has {}, {} is encrypted with it (AES-128-CBC)",
            rule.key, rule.field
        )
    })
}

fn set_words((field, value): (&String, &SetValue)) -> String {
    match value {
        SetValue::Literal(text) => format!("{field} = {}", told(text)),
        SetValue::Setting {
            name,
            when_set: false,
        } => format!("{field} = setting {name}"),
        SetValue::Setting {
            name,
            when_set: true,
        } => format!("{field} = setting {name}, if any"),
        SetValue::CertificateSn { name, .. } => {
            format!("{field} = number of the certificate {name}")
        }
    }
}

pub(super) fn template_line(name: &str, template: &Template) -> String {
    let fields: Vec<String> = template
        .fields
        .iter()
        .map(|field| match template.set.get(field) {
            Some(value) => set_words((field, value)),
            None if template
                .timestamp
                .as_ref()
                .is_some_and(|time| time.field == *field) =>
            {
                format!("{field} (the time)")
            }
            None => field.clone(),
        })
        .collect();
    let shape = match template.kind {
        TemplateKind::Lines => "lines",
        TemplateKind::SortedForm => "sorted form",
    };
    format!(
        "Template {name}: for the buyer's client the host signs, with {} (RSA, SHA-256), the {shape} \
         of {}; everything but what is set here is the provider's choice{}{}.",
        template.key,
        list(&fields, "and"),
        encrypted_words(template.encrypt.as_ref()),
        template
            .query
            .as_ref()
            .map_or_else(String::new, |field| format!(
                "; the provider gets all of it as a query, with the signature in {field}"
            ))
    )
}
