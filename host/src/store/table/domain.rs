//! The table `domain`.

use uuid::Uuid;

use super::row::{Columns, integer, json};
use crate::payment::model::Ams;
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{Domain, StoreError};

const DOMAIN: &str = "SELECT id, name, created_ms, web FROM domain";

pub(in crate::store) fn add(link: &dyn Link, name: &str, now: Ams) -> Result<Domain, StoreError> {
    let domain = Domain {
        id: Uuid::now_v7().simple().to_string(),
        name: name.to_owned(),
        created_ms: now,
        web: Vec::new(),
    };
    let sql = "INSERT INTO domain (id, name, created_ms) VALUES (?1, ?2, ?3) \
        ON CONFLICT (name) DO NOTHING";
    let added = link.execute(sql, &params![domain.id, domain.name, integer(now)?])?;
    if added == 1 {
        Ok(domain)
    } else {
        Err(StoreError::Exists(format!("domain {name}")))
    }
}

pub(in crate::store) fn get(link: &dyn Link, name: &str) -> Result<Option<Domain>, StoreError> {
    let sql = format!("{DOMAIN} WHERE name = ?1");
    one_row(link, &sql, &params![name], decode)
}

pub(in crate::store) fn list(link: &dyn Link) -> Result<Vec<Domain>, StoreError> {
    let sql = format!("{DOMAIN} ORDER BY name");
    all_rows(link, &sql, &[], decode)
}

fn decode(columns: &mut Columns<'_>) -> Result<Domain, StoreError> {
    Ok(Domain {
        id: columns.next()?,
        name: columns.next()?,
        created_ms: columns.unsigned()?,
        web: columns.json()?,
    })
}

pub(in crate::store) fn set_web(
    link: &dyn Link,
    name: &str,
    hosts: &[String],
) -> Result<bool, StoreError> {
    let sql = "UPDATE domain SET web = ?2 WHERE name = ?1";
    let changed = link.execute(sql, &params![name, json(&hosts)?])?;
    Ok(changed == 1)
}
