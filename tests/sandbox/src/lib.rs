//! The payment platforms, simulated as strictly as the real ones.
//!
//! Each platform is a server on loopback that answers as the platform's gateway does, a buyer who
//! pays at it, and a list of misbehaviours that it shows on command. It is written from the
//! platform's published rules alone and shares no code with Walnut's host or providers, so that
//! a rule which one side misunderstood shows as a failure between the two.
//!
//! Nothing here moves money, and no key outlives the process: every account's keys are made at
//! run time and kept in memory.
//!
//! ```
//! use walnut_sandbox::alipay::{Alipay, AlipayOptions};
//!
//! # async fn story() -> Result<(), walnut_sandbox::alipay::SandboxError> {
//! let alipay = Alipay::start(AlipayOptions { time_scale: 1000, ..Default::default() }).await?;
//! let account = alipay.open_account().await?;
//! println!("{} signs for {}", account.app_id(), alipay.gateway_url());
//! alipay.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod alipay;
pub mod paypal;
pub mod wechat;
