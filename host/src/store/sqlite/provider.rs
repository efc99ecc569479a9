//! The tables `provider` and `provider_bytes`.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::row::{Columns, integer};
use crate::payment::model::Digest;
use crate::store::{ApprovedProvider, ProviderRecord, StoreError};

pub(in crate::store) fn put(
    connection: &Connection,
    record: &ProviderRecord,
) -> Result<(), StoreError> {
    if Digest::of(&record.bytes) != record.digest {
        let name = &record.name;
        return Err(StoreError::Invariant(format!(
            "provider {name} has another digest"
        )));
    }
    if record.current {
        let sql = "UPDATE provider SET current = 0 WHERE name = ?1 AND current = 1";
        connection.prepare_cached(sql)?.execute([&record.name])?;
    }
    let sql = "INSERT INTO provider (digest, name, version, manifest, approved_ms, current, shipped) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT (digest) DO UPDATE SET approved_ms = excluded.approved_ms, \
        current = excluded.current, shipped = excluded.shipped";
    connection.prepare_cached(sql)?.execute(params![
        record.digest.0,
        record.name,
        record.version,
        record.manifest,
        integer(record.approved_ms)?,
        record.current,
        record.shipped,
    ])?;
    let sql = "INSERT INTO provider_bytes (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection
        .prepare_cached(sql)?
        .execute(params![record.digest.0, *record.bytes])?;
    Ok(())
}

pub(in crate::store) fn list(connection: &Connection) -> Result<Vec<ApprovedProvider>, StoreError> {
    let sql = "SELECT digest, name, version, manifest, approved_ms, current, shipped FROM provider \
        ORDER BY name, approved_ms DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut providers = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        providers.push(ApprovedProvider {
            digest: columns.digest()?,
            name: columns.next()?,
            version: columns.next()?,
            manifest: columns.next()?,
            approved_ms: columns.unsigned()?,
            current: columns.next()?,
            shipped: columns.next()?,
        });
    }
    Ok(providers)
}

pub(in crate::store) fn bytes(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
    let sql = "SELECT bytes FROM provider_bytes WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement
        .query_row([digest.0], |row| row.get(0))
        .optional()?
        .map(Arc::new))
}
