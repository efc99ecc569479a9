use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn;
use axum::routing::any;
use tower::ServiceExt;

use super::*;

const PAGE: &str = include_str!("../../../../docs/security.md");

#[test]
fn the_page_has_this_table() {
    let table = markdown();
    if !PAGE.contains(&table) {
        panic!("docs/security.md has to have this table:\n\n{table}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_there() {
    let routed = |path| {
        Router::new()
            .route(path, any(async || "served"))
            .layer(from_fn(listed))
    };
    let ask = async |path: &'static str, method: Method| {
        let request = Request::builder().uri(path).method(method);
        let request = request.body(Body::empty()).unwrap();
        routed(path).oneshot(request).await.unwrap()
    };
    for path in ["/pay/ajax/more", "/metrics/more", "/", "/pay/key/all"] {
        let answer = ask(path, Method::GET).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for (path, method, status, allow) in [
        ("/pay/domain", Method::GET, 200, None),
        ("/pay/domain", Method::HEAD, 200, None),
        ("/pay/domain", Method::DELETE, 405, Some("GET,HEAD,POST")),
        ("/pay/ajax/create", Method::GET, 405, Some("POST")),
        ("/pay/re", Method::PATCH, 200, None),
    ] {
        let answer = ask(path, method).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let said = answer.headers().get(header::ALLOW);
        assert_eq!(said.and_then(|allow| allow.to_str().ok()), allow, "{path}");
    }
}

#[test]
fn nobody_is_let_through_by_the_row_of_another() {
    let mut seen = std::collections::BTreeSet::new();
    for row in TABLE {
        assert!(seen.insert((row.path, row.method)), "{}", row.path);
        let Each(each) = &row.callers else { continue };
        let [root, op, owner, server, till, _] = *each;
        assert_eq!(root, All, "{}", row.path);
        // What changes anything is not for those who only look, and each scope is within the one before it.
        let looks = row.method == "GET" || row.path == "/pay/ajax/check";
        assert!(looks || op == No, "{}", row.path);
        assert!(owner != No || server == No, "{}", row.path);
        assert!(server != No || till == No, "{}", row.path);
    }
}

#[test]
fn without_the_store_nothing_is_open_but_looking_at_the_host() {
    let blind = TABLE.iter().filter(|row| row.blind);
    let told: Vec<_> = blind.map(|row| (row.method, row.path)).collect();
    assert_eq!(told, [("GET", "/pay/doctor"), ("GET", "/metrics")]);
    for row in TABLE.iter().filter(|row| row.blind) {
        let Each(each) = &row.callers else {
            panic!("{} asks nobody", row.path)
        };
        assert_eq!(*each, [All, All, No, No, No, No], "{}", row.path);
    }
}
