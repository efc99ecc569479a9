//! The worlds of `wit/` in Rust, generated. Interfaces that both worlds import are generated once,
//! so that each capability is implemented once.

// What bindgen! writes is not held to the rules for what people write: its types derive wasmtime's lifting and
// lowering, which are unsafe traits.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    dead_code
)]

pub(crate) mod provider {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "provider-plugin",
        imports: {
            "walnut:pay/http.send": async | trappable,
            "walnut:pay/trust.renew": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "walnut:pay/trust.message": crate::trust::Message,
            "walnut:pay/trust.statement": crate::trust::Statement,
        },
        include_component_type: true,
    });
}

pub(crate) mod callback {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "callback-plugin",
        imports: {
            "walnut:pay/kv": async | trappable,
            "walnut:pay/payments": async | trappable,
            "walnut:pay/web": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "walnut:pay/types": super::provider::walnut::pay::types,
            "walnut:pay/clock": super::provider::walnut::pay::clock,
            "walnut:pay/random": super::provider::walnut::pay::random,
            "walnut:pay/log": super::provider::walnut::pay::log,
        },
        include_component_type: true,
    });
}
