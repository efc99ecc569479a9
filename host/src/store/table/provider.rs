//! The tables `provider` and `provider_bytes`.

use std::sync::Arc;

use super::row::integer;
use crate::payment::model::Digest;
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{ApprovedProvider, ProviderRecord, StoreError};

pub(in crate::store) fn put(link: &dyn Link, record: &ProviderRecord) -> Result<(), StoreError> {
    if Digest::of(&record.bytes) != record.digest {
        let name = &record.name;
        return Err(StoreError::Invariant(format!(
            "provider {name} has another digest"
        )));
    }
    if record.current {
        // One of each name is current, also when two hosts start a new release at once.
        link.lock_name(&format!("provider {}", record.name))?;
        let sql = "UPDATE provider SET current = false WHERE name = ?1 AND current";
        link.execute(sql, &params![record.name])?;
    }
    let sql = "INSERT INTO provider (digest, name, version, manifest, approved_ms, current, shipped) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT (digest) DO UPDATE SET approved_ms = excluded.approved_ms, \
        current = excluded.current, shipped = excluded.shipped";
    link.execute(
        sql,
        &params![
            record.digest.0,
            record.name,
            record.version,
            record.manifest,
            integer(record.approved_ms)?,
            record.current,
            record.shipped,
        ],
    )?;
    let sql = "INSERT INTO provider_bytes (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    link.execute(sql, &params![record.digest.0, *record.bytes])?;
    Ok(())
}

pub(in crate::store) fn list(link: &dyn Link) -> Result<Vec<ApprovedProvider>, StoreError> {
    let sql = "SELECT digest, name, version, manifest, approved_ms, current, shipped FROM provider \
        ORDER BY name, approved_ms DESC";
    all_rows(link, sql, &[], |row| {
        Ok(ApprovedProvider {
            digest: row.digest()?,
            name: row.next()?,
            version: row.next()?,
            manifest: row.next()?,
            approved_ms: row.unsigned()?,
            current: row.next()?,
            shipped: row.next()?,
        })
    })
}

pub(in crate::store) fn bytes(
    link: &dyn Link,
    digest: Digest,
) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
    let sql = "SELECT bytes FROM provider_bytes WHERE digest = ?1";
    let bytes = one_row(link, sql, &params![digest.0], |row| row.next())?;
    Ok(bytes.map(Arc::new))
}
