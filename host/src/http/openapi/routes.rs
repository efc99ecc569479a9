//! A router that keeps what its handlers say of themselves.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{self, MethodFilter, MethodRouter, Route};
use tower::{Layer, Service};

use super::operation::Operation;
use super::takes::Describes;
use crate::payment::Payments;

/// An endpoint, and how its handler describes itself.
pub(in crate::http) struct Described {
    /// None for all methods.
    method: Option<&'static str>,
    path: String,
    name: &'static str,
    describe: fn(&mut Operation<'_>),
}

impl Described {
    pub(super) fn method(&self) -> Option<&'static str> {
        self.method
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn describe(&self, operation: &mut Operation<'_>) {
        operation.name(self.name);
        (self.describe)(operation);
    }
}

/// Routes of some endpoints.
#[derive(Default)]
pub(in crate::http) struct Routes {
    router: Router<Payments>,
    described: Vec<Described>,
}

impl Routes {
    pub(in crate::http) fn new() -> Routes {
        Routes::default()
    }

    fn on<H, T, Args>(
        self,
        method: Option<(&'static str, MethodFilter)>,
        path: &str,
        handler: H,
    ) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        let routed = match method {
            Some((_, filter)) => routing::on(filter, handler),
            None => routing::any(handler),
        };
        self.routed::<H, Args>(method.map(|(name, _)| name), path, routed)
    }

    fn routed<H: Describes<Args>, Args>(
        mut self,
        method: Option<&'static str>,
        path: &str,
        routed: MethodRouter<Payments>,
    ) -> Routes {
        self.described.push(Described {
            method,
            path: path.to_owned(),
            name: std::any::type_name::<H>(),
            describe: H::describe,
        });
        Routes {
            router: self.router.route(path, routed),
            described: self.described,
        }
    }

    pub(in crate::http) fn get<H, T, Args>(self, path: &str, handler: H) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        self.on(Some(("GET", MethodFilter::GET)), path, handler)
    }

    pub(in crate::http) fn post<H, T, Args>(self, path: &str, handler: H) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        self.on(Some(("POST", MethodFilter::POST)), path, handler)
    }

    pub(in crate::http) fn put<H, T, Args>(self, path: &str, handler: H) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        self.on(Some(("PUT", MethodFilter::PUT)), path, handler)
    }

    pub(in crate::http) fn delete<H, T, Args>(self, path: &str, handler: H) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        self.on(Some(("DELETE", MethodFilter::DELETE)), path, handler)
    }

    /// Takes all methods.
    pub(in crate::http) fn any<H, T, Args>(self, path: &str, handler: H) -> Routes
    where
        H: Handler<T, Payments> + Describes<Args>,
        T: 'static,
    {
        self.on(None, path, handler)
    }

    /// Puts a layer around the routes that are there so far.
    pub(in crate::http) fn layer<L>(self, layer: L) -> Routes
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Routes {
            router: self.router.layer(layer),
            described: self.described,
        }
    }

    pub(in crate::http) fn merge(mut self, other: Routes) -> Routes {
        self.described.extend(other.described);
        Routes {
            router: self.router.merge(other.router),
            described: self.described,
        }
    }

    /// The router, and what was said.
    pub(in crate::http) fn finish(self) -> (Router<Payments>, Vec<Described>) {
        (self.router, self.described)
    }
}
