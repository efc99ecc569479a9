//! A database of one test.

use std::thread;

use tokio_postgres::NoTls;

/// A database, dropped with this.
#[derive(Debug)]
pub struct Database {
    server: String,
    url: String,
    name: String,
}

impl Database {
    pub(crate) fn new(server: String, url: String, name: String) -> Database {
        Database { server, url, name }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements in it.
    ///
    /// # Errors
    /// What the server said.
    pub fn run(&self, sql: &str) -> Result<(), String> {
        run(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that is gone has no databases any more.
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        drop(run(&self.server, &sql));
    }
}

/// On a thread of its own: tests run in runtimes.
pub(crate) fn run(url: &str, sql: &str) -> Result<(), String> {
    thread::scope(|scope| {
        let done = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let told = |error: tokio_postgres::Error| {
                    let said = error.as_db_error().map(|said| said.message().to_owned());
                    said.unwrap_or_else(|| error.to_string())
                };
                let (client, connection) =
                    tokio_postgres::connect(url, NoTls).await.map_err(told)?;
                let driver = tokio::spawn(connection);
                client.batch_execute(sql).await.map_err(told)?;
                drop(client);
                drop(driver.await);
                Ok(())
            })
        });
        done.join().map_err(|_| "the thread panicked".to_owned())?
    })
}
