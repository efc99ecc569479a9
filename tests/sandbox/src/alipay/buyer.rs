//! The buyer, as a test or a demo moves one.

use super::Alipay;
use super::clock;
use super::order::BuyerError;
use super::platform::BuyersWord;
use super::view::TradeView;
use super::wallet::Buyer;

impl Alipay {
    /// The buyer comes by a QR code or a page and does not pay: the trade begins and waits. No
    /// notification.
    ///
    /// # Errors
    /// As for the buyer at the till.
    pub async fn scan(&self, qr_code: &str) -> Result<TradeView, BuyerError> {
        self.platform.buy(qr_code, false)
    }

    /// The buyer comes by a QR code or a page and pays. The notification follows in the
    /// background; the browser of a page has somewhere to go, `returned_to`.
    ///
    /// # Errors
    /// As for the buyer at the till.
    pub async fn pay(&self, qr_code: &str) -> Result<TradeView, BuyerError> {
        self.platform.buy(qr_code, true)
    }

    /// The buyer's browser follows a merchant's link of `page.pay` or `wap.pay`. Gives the
    /// address of the page that it comes to, for [`scan`](Alipay::scan) and [`pay`](Alipay::pay).
    ///
    /// # Errors
    /// [`BuyerError::PageRefused`] when the platform refuses the link.
    pub async fn open_page(&self, link: &str) -> Result<String, BuyerError> {
        let answer = self.platform.client.get(link).send().await;
        let answer = answer.map_err(|_| BuyerError::PageRefused)?;
        let location = answer.headers().get(reqwest::header::LOCATION);
        location
            .and_then(|address| address.to_str().ok())
            .filter(|address| address.starts_with(&self.platform.base_url))
            .map(str::to_owned)
            .ok_or(BuyerError::PageRefused)
    }

    /// The code on the phone of a buyer who does this, for the till: good once, for a minute.
    pub fn show_code(&self, buyer: Buyer) -> String {
        let numbers = &self.platform.numbers;
        self.platform
            .book()
            .wallet
            .show(buyer, numbers, clock::now())
    }

    /// What a till's camera makes of the face of a buyer who does this: good once, for a minute.
    pub fn show_face(&self, buyer: Buyer) -> String {
        let numbers = &self.platform.numbers;
        let mut book = self.platform.book();
        book.wallet.show_face(buyer, numbers, clock::now())
    }

    /// A code's minute is over.
    pub fn expire_code(&self, auth_code: &str) {
        self.platform.book().wallet.expire(auth_code);
    }

    /// The buyer who was asked for the password pays. The notification follows.
    ///
    /// # Errors
    /// [`BuyerError::NobodyAsked`], [`BuyerError::Closed`] or [`BuyerError::AlreadyPaid`].
    pub fn confirm(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform.answer_question(out_trade_no, BuyersWord::Yes)
    }

    /// The buyer who was asked for the password says no: the trade is closed. The notification
    /// follows.
    ///
    /// # Errors
    /// As for [`confirm`](Alipay::confirm).
    pub fn refuse(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform.answer_question(out_trade_no, BuyersWord::No)
    }

    /// The buyer who was asked for the password says nothing and never will: the trade waits for
    /// its end.
    ///
    /// # Errors
    /// As for [`confirm`](Alipay::confirm).
    pub fn walk_away(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform
            .answer_question(out_trade_no, BuyersWord::Nothing)
    }
}
