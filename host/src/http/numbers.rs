//! Times, spans and places as callers write them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};

use crate::payment::model::LATEST;

/// A whole number that stores have a place for. What is larger is refused by its field's name.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Whole(pub(super) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        match u64::deserialize(deserializer)? {
            number if number <= LATEST => Ok(Whole(number)),
            number => Err(D::Error::custom(format_args!(
                "{number} is too large: give at most {LATEST}"
            ))),
        }
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": LATEST })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::{FromRequest, Query, Request};
    use axum::http::Uri;
    use axum::{Json, http::header::CONTENT_TYPE};

    use super::*;
    use crate::http::envelope::Failure;

    #[derive(serde::Deserialize, Debug)]
    struct Asked {
        #[serde(default)]
        since: Whole,
        ends: Option<Whole>,
    }

    #[tokio::test]
    async fn what_no_store_has_a_place_for_is_refused_by_its_name() {
        let of_query = |query: &str| {
            let uri: Uri = format!("/?{query}").parse().unwrap();
            Query::<Asked>::try_from_uri(&uri).map(|Query(asked)| asked)
        };
        assert_eq!(of_query("ends=7").unwrap().since.0, 0);
        let last = of_query(&format!("since={LATEST}")).unwrap();
        assert_eq!((last.since.0, last.ends.is_none()), (LATEST, true));
        for beyond in [LATEST + 1, u64::MAX] {
            let said = format!("since: {beyond} is too large: give at most {LATEST}");
            let refused = Failure::from(of_query(&format!("since={beyond}")).unwrap_err());
            assert!(refused.message().contains(&said), "{}", refused.message());

            let body = format!(r#"{{"ends":{beyond}}}"#);
            let request = Request::post("/").header(CONTENT_TYPE, "application/json");
            let request = request.body(Body::from(body)).unwrap();
            let refused = Json::<Asked>::from_request(request, &()).await.map(drop);
            let refused = Failure::from(refused.unwrap_err());
            let said = said.replace("since", "ends");
            assert!(refused.message().contains(&said), "{}", refused.message());
        }
    }
}
