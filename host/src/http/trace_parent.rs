//! The span of a proxy that a request's own span is part of: `traceparent` of the W3C's trace context, from proxies that were
//! named, and from nobody else. What vendors add to it (`tracestate`) is not read: it is anybody's words.

use axum::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const HEADER: &str = "traceparent";

/// Whose part a request is.
#[derive(Clone)]
pub(super) struct Parent(Context);

impl Parent {
    /// The one that is told; none where none is, or more than one, or what is told is none.
    pub(super) fn of(headers: &HeaderMap) -> Option<Parent> {
        let mut told = headers.get_all(HEADER).iter();
        let (Some(one), None) = (told.next(), told.next()) else {
            return None;
        };
        let told = Told(one.to_str().ok()?);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &told);
        let is_one = context.span().span_context().is_valid();
        is_one.then_some(Parent(context))
    }

    /// Makes a span that has not begun yet a part of it.
    pub(super) fn adopt(&self, span: &Span) {
        // Where there is no collector there is no such span.
        drop(span.set_parent(self.0.clone()));
    }
}

struct Told<'a>(&'a str);

impl Extractor for Told<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == HEADER).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![HEADER]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_parent_is_none() {
        let of = |told: &[&str]| {
            let mut headers = HeaderMap::new();
            for told in told {
                headers.append(HEADER, told.parse().unwrap());
            }
            let parent = Parent::of(&headers)?;
            let span = parent.0.span().span_context().clone();
            Some((span.trace_id().to_string(), span.span_id().to_string()))
        };
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let told = format!("00-{trace}-{span}-01");
        assert_eq!(of(&[&told]), Some((trace.to_owned(), span.to_owned())));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&told, &told]), None);
        let nothing = "0".repeat(32);
        for wrong in [
            "",
            trace,
            &format!("00-{nothing}-{span}-01"),
            &format!("00-{trace}-0000000000000000-01"),
            &format!("00-{trace}-{span}"),
            &format!("00-{trace}{trace}-{span}-01"),
        ] {
            assert_eq!(of(&[wrong]), None, "{wrong}");
        }
    }
}
