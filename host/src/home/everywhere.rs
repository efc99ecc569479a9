//! Every place where homes can be, for stories that hold in each.

use std::path::PathBuf;

use tempfile::TempDir;
use walnut_test_postgres::{Database, Server};

use super::{DataRoot, Home, MasterSource};
use crate::store::{Address, Store};

/// A data root with its homes somewhere.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) root: DataRoot,
    pub(super) temp: TempDir,
    /// Where others share the homes.
    pub(super) store: Option<Store>,
    /// On the server, where there is one.
    database: Option<Database>,
}

impl Place {
    pub(super) async fn on_disk() -> Place {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        Place {
            name: "disk",
            root,
            temp,
            store: None,
            database: None,
        }
    }

    /// The tables are the same in every engine; the embedded one needs no server.
    async fn on_sqlite() -> Place {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::with_homes(&temp.path().join("store")).await;
        Place::shared("SQLite", temp, store, None).await
    }

    async fn on_postgres() -> Option<Place> {
        let database = Server::shared()?.database().unwrap();
        let store = connected(&database);
        let temp = tempfile::tempdir().unwrap();
        Some(Place::shared("PostgreSQL", temp, store, Some(database)).await)
    }

    async fn shared(
        name: &'static str,
        temp: TempDir,
        store: Store,
        database: Option<Database>,
    ) -> Place {
        let root = DataRoot::open_shared(
            &temp.path().join("root"),
            &MasterSource::default(),
            store.clone(),
        )
        .await;
        Place {
            name,
            root: root.unwrap(),
            temp,
            store: Some(store),
            database,
        }
    }

    pub(super) fn home(&self, domain: &str) -> Home {
        self.root.home(domain).unwrap()
    }

    /// The folder of a home, where it is one of the system's.
    pub(super) fn folder(&self, domain: &str) -> Option<PathBuf> {
        let below = format!("home/{domain}/.payment");
        self.store.is_none().then(|| self.temp.path().join(below))
    }
}

impl Place {
    /// All places that several hosts share.
    pub(super) async fn shared_everywhere() -> Vec<Place> {
        let mut places = vec![Place::on_sqlite().await];
        places.extend(Place::on_postgres().await);
        places
    }

    /// The store as another host has it open.
    pub(super) fn beside(&self) -> Store {
        match &self.database {
            Some(database) => connected(database),
            None => self.store.clone().unwrap(),
        }
    }
}

/// All of them.
pub(super) async fn everywhere() -> Vec<Place> {
    let mut places = vec![Place::on_disk().await];
    places.extend(Place::shared_everywhere().await);
    places
}

fn connected(database: &Database) -> Store {
    Store::connect(&Address::parse(database.url()).unwrap()).unwrap()
}
