//! The platform's keys: the list of certificates, its rotation, and public keys by their id.

use walnut_sandbox::wechat::signing::open;
use walnut_sandbox::wechat::{Notice, NoticeSignature};

use crate::merchant::{Answered, Shop, public_key_of};

impl Shop {
    /// The certificates of a list, opened; by their serial numbers.
    fn listed(&self, answer: &Answered) -> Vec<(String, String)> {
        let data = answer.json["data"].as_array().unwrap().iter();
        data.map(|entry| {
            let part = |name: &str| entry["encrypt_certificate"][name].as_str().unwrap();
            assert_eq!(part("algorithm"), "AEAD_AES_256_GCM");
            let pem = open(
                self.merchant.api_v3_key(),
                part("nonce"),
                part("associated_data"),
                part("ciphertext"),
            );
            let serial = entry["serial_no"].as_str().unwrap().to_owned();
            (serial, String::from_utf8(pem.unwrap()).unwrap())
        })
        .collect()
    }

    async fn certificates(&self) -> Answered {
        self.get("/v3/certificates").await
    }
}

fn signer(answer: &Answered) -> &str {
    answer.headers["wechatpay-serial"].to_str().unwrap()
}

#[tokio::test]
async fn certificates_are_listed_sealed_and_rotate_while_the_old_one_signs() {
    let mut shop = Shop::open().await;
    let (mchid, old) = (
        shop.merchant.mchid().to_owned(),
        shop.merchant.platform_serial_no().unwrap().to_owned(),
    );
    let answer = shop.certificates().await;
    assert_eq!(
        (answer.status, answer.verified, signer(&answer)),
        (200, true, old.as_str())
    );
    let listed = shop.listed(&answer);
    assert_eq!(listed.len(), 1);
    assert_eq!(public_key_of(&listed[0].1).0, old);
    assert_eq!(
        shop.merchant.platform_certificate_pem(),
        Some(listed[0].1.as_str())
    );

    let new = shop.wechat.add_certificate(&mchid).await.unwrap();
    let answer = shop.certificates().await;
    assert_eq!((answer.verified, signer(&answer)), (true, old.as_str()));
    let listed = shop.listed(&answer);
    assert_eq!(
        listed
            .iter()
            .map(|(serial, _)| serial.as_str())
            .collect::<Vec<_>>(),
        [&old, &new]
    );

    shop.wechat.sign_with(&mchid, &new).unwrap();
    let unknown = shop.certificates().await;
    assert_eq!((unknown.verified, signer(&unknown)), (false, new.as_str()));
    shop.keys.extend([public_key_of(&listed[1].1)]);
    assert!(shop.certificates().await.verified);
    assert!(shop.wechat.drop_certificate(&mchid, &new).is_err());
    shop.wechat.drop_certificate(&mchid, &old).unwrap();
    assert_eq!(shop.listed(&shop.certificates().await).len(), 1);
    assert!(shop.wechat.sign_with(&mchid, &old).is_err());
    assert!(shop.wechat.add_certificate("1900000001").await.is_err());
}

#[tokio::test]
async fn the_public_key_signs_when_it_is_asked_for_or_set() {
    let shop = Shop::open().await;
    let (mchid, id) = (shop.merchant.mchid(), shop.merchant.public_key_id());
    let serial = shop.merchant.platform_serial_no().unwrap();
    let asked = shop
        .request("GET", "/v3/certificates", "")
        .header("wechatpay-serial", id);
    let answer = shop.read(asked.send().await.unwrap()).await;
    assert_eq!((answer.verified, signer(&answer)), (true, id));
    assert_eq!(signer(&shop.certificates().await), serial);

    // While merchants move from certificates to the public key, both sign.
    shop.paid("order-1").await;
    assert_eq!(
        shop.told("order-1").await.headers["Wechatpay-Serial"],
        serial
    );
    shop.wechat.sign_with(mchid, id).unwrap();
    let closing = shop.close("order-1").await;
    assert_eq!((closing.verified, signer(&closing)), (true, id));
    shop.paid("order-2").await;
    let told = shop.told("order-2").await;
    assert_eq!(
        (
            told.headers["Wechatpay-Serial"].as_str(),
            shop.opened(&told).0
        ),
        (id, true)
    );
    let by_old = Notice::genuine().signed(NoticeSignature::By(serial.to_owned()));
    let sent = shop.wechat.notify("order-2", &by_old).await.unwrap();
    assert_eq!(
        (
            sent.headers["Wechatpay-Serial"].as_str(),
            shop.opened(&sent).0
        ),
        (serial, true)
    );
}

#[tokio::test]
async fn a_merchant_with_the_public_key_alone_has_no_certificates() {
    let shop = Shop::open().await;
    let merchant = shop.wechat.open_public_key_merchant().await.unwrap();
    let shop = shop.with(merchant);
    let answer = shop.certificates().await;
    assert_eq!(
        (answer.codes(), answer.verified),
        ((404, "RESOURCE_NOT_EXISTS"), true)
    );
    assert_eq!(signer(&answer), shop.merchant.public_key_id());
    shop.paid("order-1").await;
    assert!(shop.opened(&shop.told("order-1").await).0);
    // Another algorithm is not there, or is none.
    let url = "/v3/certificates?algorithm_type=";
    assert_eq!(
        shop.get(&format!("{url}SM2")).await.codes(),
        (404, "RESOURCE_NOT_EXISTS")
    );
    assert_eq!(
        shop.get(&format!("{url}DSA")).await.codes(),
        (400, "PARAM_ERROR")
    );
}
