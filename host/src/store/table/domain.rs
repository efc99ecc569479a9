//! The tables `domain` and `api_key`.

use uuid::Uuid;

use super::row::{Columns, integer, json};
use crate::payment::model::Ams;
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{Domain, StoreError, StoredKey};

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

const KEY: &str = "SELECT id, domain, role, test, hash, created_ms FROM api_key \
    WHERE revoked_ms = 0";

pub(in crate::store) fn add_key(link: &dyn Link, key: &StoredKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_key (id, domain, role, test, hash, created_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING";
    if link.execute(
        sql,
        &params![
            key.id,
            key.domain,
            key.role,
            key.test,
            key.hash,
            integer(key.created_ms)?,
        ],
    )? == 1
    {
        Ok(())
    } else {
        Err(StoreError::Exists(format!("key {}", key.id)))
    }
}

pub(in crate::store) fn key(link: &dyn Link, id: &str) -> Result<Option<StoredKey>, StoreError> {
    let sql = format!("{KEY} AND id = ?1");
    one_row(link, &sql, &params![id], decode_key)
}

pub(in crate::store) fn keys(
    link: &dyn Link,
    domain: Option<&str>,
) -> Result<Vec<StoredKey>, StoreError> {
    let sql = format!("{KEY} AND domain IS NOT DISTINCT FROM ?1 ORDER BY created_ms, id");
    all_rows(link, &sql, &params![domain], decode_key)
}

pub(in crate::store) fn revoke_key(
    link: &dyn Link,
    id: &str,
    now: Ams,
) -> Result<bool, StoreError> {
    let sql = "UPDATE api_key SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms = 0";
    // At least 1, since 0 stands for a key that is good.
    let revoked = link.execute(sql, &params![id, integer(now.max(1))?])?;
    Ok(revoked == 1)
}

fn decode_key(columns: &mut Columns<'_>) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        id: columns.next()?,
        domain: columns.next()?,
        role: columns.next()?,
        test: columns.next()?,
        hash: columns.next()?,
        created_ms: columns.unsigned()?,
    })
}
