//! Builds every shipped component and embeds it in the host.

/// A provider that comes with the host.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its name, as in its manifest.
    pub name: &'static str,
    /// The component, with the manifest in its custom section `walnut:manifest`.
    pub bytes: &'static [u8],
}

/// The providers that come with the host.
pub fn providers() -> &'static [Shipped] {
    &[
        Shipped {
            name: "free",
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/free.wasm")),
        },
        Shipped {
            name: "paypal",
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/paypal.wasm")),
        },
        Shipped {
            name: "wx",
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/wx.wasm")),
        },
        Shipped {
            name: "zfb",
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/zfb.wasm")),
        },
    ]
}

/// The component `plugins/script`, which runs callbacks that are JavaScript text.
pub const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/script.wasm"));

/// The example callback `plugins/examples/record-sale`, which the demo uses.
pub const RECORD_SALE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/record-sale.wasm"));
