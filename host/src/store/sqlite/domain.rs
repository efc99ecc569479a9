//! The tables `domain` and `api_key`.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::row::{Columns, integer, json};
use crate::payment::model::Ams;
use crate::store::{Domain, StoreError, StoredKey};

const DOMAIN: &str = "SELECT id, name, created_ms, web FROM domain";

pub(in crate::store) fn add(
    connection: &Connection,
    name: &str,
    now: Ams,
) -> Result<Domain, StoreError> {
    let domain = Domain {
        id: Uuid::now_v7().simple().to_string(),
        name: name.to_owned(),
        created_ms: now,
        web: Vec::new(),
    };
    let sql = "INSERT INTO domain (id, name, created_ms) VALUES (?1, ?2, ?3) \
        ON CONFLICT (name) DO NOTHING";
    let added =
        connection
            .prepare_cached(sql)?
            .execute(params![domain.id, domain.name, integer(now)?])?;
    if added == 1 {
        Ok(domain)
    } else {
        Err(StoreError::Exists(format!("domain {name}")))
    }
}

pub(in crate::store) fn get(
    connection: &Connection,
    name: &str,
) -> Result<Option<Domain>, StoreError> {
    let sql = format!("{DOMAIN} WHERE name = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(decode).transpose()
}

pub(in crate::store) fn list(connection: &Connection) -> Result<Vec<Domain>, StoreError> {
    let sql = format!("{DOMAIN} ORDER BY name");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut domains = Vec::new();
    while let Some(row) = rows.next()? {
        domains.push(decode(row)?);
    }
    Ok(domains)
}

fn decode(row: &Row<'_>) -> Result<Domain, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Domain {
        id: columns.next()?,
        name: columns.next()?,
        created_ms: columns.unsigned()?,
        web: columns.json()?,
    })
}

pub(in crate::store) fn set_web(
    connection: &Connection,
    name: &str,
    hosts: &[String],
) -> Result<bool, StoreError> {
    let sql = "UPDATE domain SET web = ?2 WHERE name = ?1";
    let changed = connection
        .prepare_cached(sql)?
        .execute(params![name, json(&hosts)?])?;
    Ok(changed == 1)
}

const KEY: &str = "SELECT id, domain, role, test, hash, created_ms FROM api_key \
    WHERE revoked_ms = 0";

pub(in crate::store) fn add_key(
    connection: &Connection,
    key: &StoredKey,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_key (id, domain, role, test, hash, created_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING";
    let added = connection.prepare_cached(sql)?.execute(params![
        key.id,
        key.domain,
        key.role,
        key.test,
        key.hash,
        integer(key.created_ms)?,
    ])?;
    if added == 1 {
        Ok(())
    } else {
        Err(StoreError::Exists(format!("key {}", key.id)))
    }
}

pub(in crate::store) fn key(
    connection: &Connection,
    id: &str,
) -> Result<Option<StoredKey>, StoreError> {
    let sql = format!("{KEY} AND id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(decode_key).transpose()
}

pub(in crate::store) fn keys(
    connection: &Connection,
    domain: Option<&str>,
) -> Result<Vec<StoredKey>, StoreError> {
    let sql = format!("{KEY} AND domain IS ?1 ORDER BY created_ms, id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([domain])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(decode_key(row)?);
    }
    Ok(keys)
}

pub(in crate::store) fn revoke_key(
    connection: &Connection,
    id: &str,
    now: Ams,
) -> Result<bool, StoreError> {
    // At least 1, since 0 stands for a key that is good.
    let sql = "UPDATE api_key SET revoked_ms = max(?2, 1) WHERE id = ?1 AND revoked_ms = 0";
    Ok(connection
        .prepare_cached(sql)?
        .execute(params![id, integer(now)?])?
        == 1)
}

fn decode_key(row: &Row<'_>) -> Result<StoredKey, StoreError> {
    let mut columns = Columns::of(row);
    Ok(StoredKey {
        id: columns.next()?,
        domain: columns.next()?,
        role: columns.next()?,
        test: columns.next()?,
        hash: columns.next()?,
        created_ms: columns.unsigned()?,
    })
}
