use super::*;
use crate::store::audit::Together;
use crate::store::table::audit;

fn line(domain: Option<&str>, who: &str, what: &str, refused: bool) -> AuditLine {
    AuditLine {
        domain: domain.map(str::to_owned),
        who: who.to_owned(),
        what: what.to_owned(),
        refused,
        times: 1,
        ..AuditLine::default()
    }
}

/// Lets go of all but the newest of those that are counted with this line.
async fn keep(shop: &Shop, with: &AuditLine, newest: u32) {
    let together = Together::of(with);
    let database = &shop.store.database;
    let kept = database.write(move |link| audit::keep(link, &together, newest));
    kept.await.unwrap();
}

async fn left(shop: &Shop) -> Vec<AuditLine> {
    let all = AuditOf {
        limit: 100,
        ..AuditOf::default()
    };
    shop.store.audit(all).await.unwrap()
}

#[tokio::test]
async fn new_lines_have_old_ones_forgotten_of_their_own_kind_and_domain_alone() {
    let Some(shop) = open() else { return };
    let settings = "PUT /pay/target/{platform}/{name}";
    let close = "POST /pay/ajax/close";
    let of_test = AuditLine {
        test: true,
        ..line(Some("rival"), "rival", settings, false)
    };
    let others = [
        line(Some("shop"), "shop", settings, false),
        line(Some("rival"), "rival", settings, false),
        line(Some("rival"), "rival", close, true),
        line(None, "root", "POST /pay/key", false),
        line(None, "nobody", "GET /pay/key", true),
        of_test,
    ];
    let flood = line(Some("rival"), "rival", close, false);
    for line in others.iter().chain(vec![&flood; 9]) {
        shop.store.note(line.clone()).await.unwrap();
    }
    keep(&shop, &flood, 4).await;
    let left_of_all = left(&shop).await;
    let told = |line: &AuditLine| AuditLine {
        seq: 0,
        ..line.clone()
    };
    let told: Vec<_> = left_of_all.iter().map(told).collect();
    let expected = vec![&flood; 4];
    let expected: Vec<_> = expected.into_iter().chain(others.iter().rev()).collect();
    assert_eq!(told.iter().collect::<Vec<_>>(), expected);

    // Where it is no domain's.
    let nobody = &others[4];
    for _ in 0..3 {
        shop.store.note(nobody.clone()).await.unwrap();
    }
    keep(&shop, nobody, 1).await;
    let left = left(&shop).await;
    let of = |who: &str| left.iter().filter(|line| line.who == who).count();
    assert_eq!((of("nobody"), of("root"), of("rival")), (1, 1, 7));
}
