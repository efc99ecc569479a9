//! The pages: what the host serves to browsers, and signing in to them. `browser` drives them as people do.

mod browser;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use walnut_test_postgres::Server;

use crate::following::Events;
use crate::world::{Answer, Host, Shop, World};

async fn open(world: &World, path: &str) -> Answer {
    Shop::answer(world.shop.keyless(Method::GET, path)).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let found = answer.headers.get(name);
    found
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

#[tokio::test]
async fn a_page_loads_from_this_host_alone() {
    let world = World::start().await;
    let id = world.shop.create(json!({})).await;
    let pages = [
        ("/pay/console".to_owned(), 150_000),
        (format!("/pay/cashier/{id}"), 60_000),
        ("/pay/till".to_owned(), 60_000),
        ("/pay/api".to_owned(), 60_000),
    ];
    for (path, most) in pages {
        let page = open(&world, &path).await;
        assert_eq!(page.status, 200);
        let policy = header(&page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "));
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(header(&page, "referrer-policy"), "no-referrer");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        let text = String::from_utf8(page.bytes).unwrap();
        assert!(!text.contains("<style") && !text.contains("style=") && !text.contains(" on"));
        // Whatever it loads is there, and is asked for again without being sent again.
        let mut bytes = text.len();
        let loads: Vec<&str> = text
            .split(['"', '\''])
            .filter(|part| part.starts_with("/pay/pages/"))
            .collect();
        assert!(loads.len() >= 3, "{loads:?}");
        // What scripts load is named too, so that nothing is waited for that could come at once.
        for script in loads.iter().filter(|file| file.ends_with(".js")) {
            let script = open(&world, script).await;
            let script = String::from_utf8(script.bytes).unwrap();
            let imports = script.lines().filter(|line| line.starts_with("import "));
            for import in imports {
                let (_, file) = import.rsplit_once("\"./").unwrap();
                let file = file.trim_end_matches("\";");
                assert!(
                    loads.iter().any(|load| load.ends_with(file)),
                    "{path} does not name {file}"
                );
            }
        }
        for file in loads.iter().copied() {
            let loaded = open(&world, file).await;
            assert_eq!(loaded.status, 200, "{file}");
            bytes += loaded.bytes.len();
            let tag = header(&loaded, "etag").to_owned();
            let again = world.shop.keyless(Method::GET, file);
            let again = Shop::answer(again.header("If-None-Match", tag)).await;
            assert_eq!((again.status, again.bytes.len()), (304, 0), "{file}");
            let packed = world.shop.keyless(Method::GET, file);
            let packed = Shop::answer(packed.header("Accept-Encoding", "br, gzip")).await;
            assert_eq!(header(&packed, "content-encoding"), "gzip", "{file}");
            assert_eq!(header(&packed, "vary"), "accept-encoding", "{file}");
            assert_ne!(header(&packed, "etag"), header(&loaded, "etag"), "{file}");
            assert!(packed.bytes.len() < loaded.bytes.len(), "{file}");
        }
        assert!(bytes < most, "{path} has {bytes} bytes in all");
    }
    let nothing = open(&world, "/pay/pages/..%2Fmod.rs").await;
    assert_eq!(nothing.refusal(), (404, "e.pay.notFound".to_owned()));
}

#[tokio::test]
async fn the_buyers_page_is_told_how_to_pay_and_shows_the_code() {
    let world = World::start().await;
    let body = json!({ "brief": "tea", "fee": 2300 });
    let made = world.shop.post("/pay/ajax/create", body).await.data();
    let (id, ticket) = (
        made["id"].as_str().unwrap(),
        made["ticket"].as_str().unwrap(),
    );
    let asked = format!("id={id}&ticket={ticket}");
    // A browser asks for it together with the scripts; what is no ticket is not told back.
    let page = open(&world, &format!("/pay/cashier/{id}?ticket={ticket}")).await;
    let ahead = header(&page, "link");
    assert!(
        ahead.contains(&format!("</pay/ajax/offers?{asked}>; rel=preload")),
        "{ahead}"
    );
    for odd in ["wt_%3E%0Ax", "wt_a>b", "else", ""] {
        let page = open(&world, &format!("/pay/cashier/{id}?ticket={odd}")).await;
        assert!(!page.headers.contains_key("link"), "{odd}");
    }
    let offers = open(&world, &format!("/pay/ajax/offers?{asked}"))
        .await
        .data();
    let ways = offers["pay_types"].as_array().unwrap();
    let way = |name: &str| {
        let found = ways.iter().find(|way| way["pay_tp"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {offers}"))
    };
    assert_eq!(way("zfb.qrcode")["platform"], "zfb");
    assert_eq!(way("zfb.qrcode")["takes"], json!([]));
    assert!(way("zfb.qrcode")["title"]["zh"].is_string());
    assert_eq!(way("zfb.scan")["takes"][0]["optional"], false);
    assert!(offers["now"].as_u64().unwrap() > 1_700_000_000_000);

    let picture = format!("/pay/ajax/qrcode?{asked}");
    let none = open(&world, &picture).await;
    assert_eq!(none.refusal(), (404, "e.pay.notFound".to_owned()));
    world.shop.send(id).await.data();
    let code = open(&world, &picture).await;
    assert_eq!(header(&code, "content-type"), "image/svg+xml");
    assert_eq!(header(&code, "cache-control"), "no-store");
    assert!(String::from_utf8(code.bytes).unwrap().contains("<svg"));
    let rival = world.host.domain("rival").await;
    for path in ["/pay/ajax/offers", "/pay/ajax/qrcode"] {
        let foreign = rival.get(&format!("{path}?id={id}")).await;
        assert_eq!(foreign.refusal(), (404, "e.pay.noexists".to_owned()));
    }
}

/// A browser that signed in.
struct Browser<'a> {
    shop: &'a Shop,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn sign_in(shop: &Shop, key: &str) -> RequestBuilder {
        shop.keyless(Method::POST, "/pay/session")
            .header("X-Walnut-Page", "till")
            .json(&json!({ "key": key }))
    }

    async fn signed_in(shop: &'a Shop, key: &str) -> Browser<'a> {
        let answer = Shop::answer(Browser::sign_in(shop, key)).await;
        let cookie = header(&answer, "set-cookie").to_owned();
        answer.data();
        for word in ["HttpOnly", "SameSite=Strict", "Path=/pay", "Max-Age=43200"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        assert!(!cookie.contains("wk_"), "the key itself is not in it");
        Browser { shop, cookie }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.shop.keyless(method, path);
        request.header("Cookie", format!("other=1; {}", self.cookie))
    }

    async fn get(&self, path: &str) -> Answer {
        Shop::answer(self.request(Method::GET, path)).await
    }

    async fn sign_out(&self) {
        let out = self.request(Method::DELETE, "/pay/session");
        let out = Shop::answer(out.header("X-Walnut-Page", "till")).await;
        assert!(header(&out, "set-cookie").contains("Max-Age=0"));
        out.data();
    }

    /// The same browser at another host.
    fn at(&self, host: &'a Shop) -> Browser<'a> {
        Browser {
            shop: host,
            cookie: self.cookie.clone(),
        }
    }
}

async fn is_signed_in(browser: &Browser<'_>) -> bool {
    let who = browser.get("/pay/session").await;
    if who.status != 200 {
        assert_eq!(who.refusal(), (401, "e.auth.required".to_owned()));
    }
    who.status == 200
}

#[tokio::test]
async fn a_session_is_its_keys_domain_and_ends_with_the_key() {
    let world = World::start().await;
    let id = world.shop.create(json!({})).await;
    let browser = Browser::signed_in(&world.shop, world.shop.key()).await;
    let who = browser.get("/pay/session").await.data();
    assert_eq!(
        ["role", "domain", "test", "scope", "refunds"].map(|name| &who[name]),
        [
            json!("domain"),
            json!("shop"),
            json!(true),
            json!("owner"),
            json!(true)
        ]
        .each_ref()
    );
    let decimals = |currency: &str| who["currencies"][currency].as_u64();
    assert_eq!(
        ["RMB", "JPY", "KWD"].map(decimals),
        [Some(2), Some(0), Some(3)]
    );
    let get = format!("/pay/ajax/get?id={id}");
    assert_eq!(browser.get(&get).await.data()["id"], id);

    let rival = world.host.domain("rival").await;
    let foreign = Browser::signed_in(&rival, rival.key()).await;
    assert_eq!(foreign.get(&get).await.refusal().0, 404);

    // Another site's request has no such header, and a browser says where it comes from.
    let create = || browser.request(Method::POST, "/pay/ajax/create");
    let body = json!({ "brief": "tea", "fee": 100 });
    for forged in [
        create(),
        create()
            .header("X-Walnut-Page", "till")
            .header("Sec-Fetch-Site", "cross-site"),
    ] {
        let refused = Shop::answer(forged.json(&body)).await;
        assert_eq!(refused.refusal(), (403, "e.pay.nopvg".to_owned()));
    }
    let own = create()
        .header("X-Walnut-Page", "till")
        .header("Sec-Fetch-Site", "same-origin");
    Shop::answer(own.json(&body)).await.data();

    let tampered = Browser {
        shop: &world.shop,
        cookie: format!("{}A", browser.cookie),
    };
    let refused = tampered.get(&get).await.refusal();
    assert_eq!(refused, (401, "e.auth.required".to_owned()));
    let without = world.shop.keyless(Method::POST, "/pay/session");
    let without = without.json(&json!({ "key": world.shop.key() }));
    assert_eq!(Shop::answer(without).await.refusal().0, 403);
    for wrong in ["", "wk_test_0011223344556677_AAAA", "wt_x"] {
        let refused = Shop::answer(Browser::sign_in(&world.shop, wrong)).await;
        assert_eq!(refused.refusal().0, 401, "{wrong}");
    }

    // A revoked key ends every session that was made from it.
    let key = world.shop.key().split('_').nth(2).unwrap().to_owned();
    let revoked = world.host.root().delete(&format!("/pay/key/{key}")).await;
    assert_eq!(revoked.json()["ok"], Value::Bool(true));
    let ended = browser.get("/pay/session").await;
    assert_eq!(ended.refusal(), (401, "e.auth.required".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_and_no_other() {
    let world = World::start().await;
    let shop = world.shop.clone();
    let signed_in = async || Browser::signed_in(&shop, shop.key()).await;
    let (leaves, stays) = (signed_in().await, signed_in().await);
    assert_ne!(leaves.cookie, stays.cookie);
    let watch = leaves.request(Method::GET, "/pay/ajax/watch");
    let mut events = Events::of(watch).await;
    assert_eq!(events.next().await.unwrap().name, "begin");
    // Twice is once, and without a session nothing is to be ended.
    for _ in 0..2 {
        assert!(is_signed_in(&stays).await);
        leaves.sign_out().await;
        assert!(!is_signed_in(&leaves).await);
    }
    // Whoever had a copy of the cookie, and watches by it, is let go too.
    assert_eq!(
        events.next().await.unwrap().data["errCode"],
        "e.auth.required"
    );
    assert!(events.next().await.is_none());
    let nobody = shop.keyless(Method::DELETE, "/pay/session");
    let nobody = nobody.header("X-Walnut-Page", "till");
    Shop::answer(nobody).await.data();

    let host = world.host.kill_and_restart().await;
    let shop = shop.at(host.url());
    assert!(!is_signed_in(&leaves.at(&shop)).await);
    assert!(is_signed_in(&stays.at(&shop)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_at_one_host_is_signing_out_at_all() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let first = Host::start_with(&["--store", database.url()]).await;
    let here = first.domain("shop").await;
    let second = first.beside().await;
    let there = here.at(second.url());
    let browser = Browser::signed_in(&here, here.key()).await;
    assert!(is_signed_in(&browser).await && is_signed_in(&browser.at(&there)).await);
    browser.at(&there).sign_out().await;
    assert!(!is_signed_in(&browser).await && !is_signed_in(&browser.at(&there)).await);
}

#[tokio::test]
async fn a_host_beside_this_one_signs_nobody_in() {
    let world = World::start().await;
    let mine = Browser::signed_in(&world.shop, world.shop.key()).await;
    let rival = world.host.domain("rival").await;
    let theirs = Browser::signed_in(&rival, rival.key()).await;
    // What it sets comes beside what this host set, in either order.
    for pair in [[&mine, &theirs], [&theirs, &mine]] {
        let cookie = pair.map(|browser| browser.cookie.clone()).join("; ");
        let both = Browser {
            shop: &world.shop,
            cookie,
        };
        assert!(!is_signed_in(&both).await);
        let body = json!({ "brief": "tea", "fee": 100 });
        let create = both.request(Method::POST, "/pay/ajax/create").json(&body);
        let create = Shop::answer(create.header("X-Walnut-Page", "till")).await;
        assert_eq!(create.refusal().0, 401);
    }
    assert!(is_signed_in(&mine).await && is_signed_in(&theirs).await);
    // Of a host that is reached by TLS no other host can set the cookie's name.
    let public = ["--public-url", "https://pay.example.com"];
    let host = Host::start_with(&public).await;
    let sign_in = Browser::sign_in(&host.root(), host.root_key());
    let answer = Shop::answer(sign_in).await;
    let cookie = header(&answer, "set-cookie");
    let begun = cookie.strip_prefix("__Host-walnut_session=").unwrap();
    assert!(cookie.contains("; Path=/;") && cookie.ends_with("; Secure"));
    assert!(!cookie.contains("Domain"));
    let session = begun.split(';').next().unwrap();
    let root = host.root();
    for (name, is_read) in [("__Host-walnut_session", true), ("walnut_session", false)] {
        let browser = Browser {
            shop: &root,
            cookie: format!("{name}={session}"),
        };
        assert_eq!(is_signed_in(&browser).await, is_read, "{name}");
    }
}

#[tokio::test]
async fn signing_in_tells_nothing_of_what_stood_in_a_wrong_place() {
    let host = Host::start().await;
    let root = host.root();
    let key = host.root_key();
    for body in [
        format!(r#"{{"{key}":1}}"#),
        format!(r#"{{"key":["{key}"]}}"#),
        format!(r#"{{"key":"{key}","{key}":1}}"#),
        format!(r#"{{"key":"{key}"#),
        format!(r#""{key}""#),
        key.to_owned(),
    ] {
        let sign_in = root
            .keyless(Method::POST, "/pay/session")
            .header("X-Walnut-Page", "till")
            .header("Content-Type", "application/json");
        let answer = Shop::answer(sign_in.body(body)).await;
        assert_eq!(answer.refusal(), (400, "e.pay.invalid".to_owned()));
        let said = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(said.contains(r#"{"key":"…"}"#), "{said}");
        assert!(!said.contains("wk_"), "{said}");
    }
}
