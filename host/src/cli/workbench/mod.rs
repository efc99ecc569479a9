//! The callback owner's workbench, which needs no host: `walnut callback new` makes a project, `walnut callback test FILE`
//! runs what was built in the same sandbox that a host runs it in.
//!
//! | file        | is                                                              |
//! | ----------- | --------------------------------------------------------------- |
//! | `project`   | a new project in one of the languages                           |
//! | `content`   | what a file holds: a component, made of a module where need be  |
//! | `room`      | the sandbox in this process                                     |
//! | `domain`    | the domain that a run sees, made of files                       |
//! | `web`       | answers to its requests, out of a file                          |
//! | `trial`     | one run                                                         |
//! | `report`    | what a run did and cost, for people and for programs            |
//! | `watch`     | runs again whenever a file changed                              |

mod content;
mod domain;
mod project;
mod report;
mod room;
mod trial;
mod watch;
mod web;

pub(super) use content::read as content;
pub(super) use project::New;
pub(super) use trial::LocalOptions;

use super::error::CliError;
use super::output::Output;
use room::Room;
use trial::Files;

/// Runs a callback from a file once, or with `--watch` until the process is ended.
pub(super) async fn test(
    file: String,
    payment: Option<String>,
    options: LocalOptions,
) -> Result<Output, CliError> {
    let room = Room::open()?;
    let watched = options.watch;
    let files = Files::new(file, payment, options);
    if watched {
        return watch::run(&room, &files).await;
    }
    let trial = trial::run(&room, &files).await?;
    trial.save(&files)?;
    Ok(report::of(&trial, files.json()))
}
