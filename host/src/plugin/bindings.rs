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

/// Its imports are those of callbacks, so that their linker serves it too.
pub(crate) mod script {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "script-plugin",
        exports: { default: async },
        with: {
            "walnut:pay/types": super::provider::walnut::pay::types,
            "walnut:pay/clock": super::provider::walnut::pay::clock,
            "walnut:pay/random": super::provider::walnut::pay::random,
            "walnut:pay/log": super::provider::walnut::pay::log,
            "walnut:pay/delivery-types": super::callback::walnut::pay::delivery_types,
            "walnut:pay/payments": super::callback::walnut::pay::payments,
            "walnut:pay/kv": super::callback::walnut::pay::kv,
            "walnut:pay/web": super::callback::walnut::pay::web,
            "walnut:pay/events": super::callback::walnut::pay::events,
        },
        include_component_type: true,
    });
}

#[cfg(test)]
mod tests {
    /// A contract is for people who have nothing else: each of its items says what it is.
    #[test]
    fn every_item_of_the_contract_is_documented() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
        let mut undocumented = Vec::new();
        let mut items = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut before = "";
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let is_item = ["///", "package ", "use ", "import ", "export provider", "}"]
                    .iter()
                    .all(|start| !line.starts_with(start));
                items += usize::from(is_item);
                if is_item && !before.starts_with("///") {
                    undocumented.push(format!("{}: {line}", path.display()));
                }
                before = line;
            }
        }
        assert!(items > 100, "{items}");
        assert!(undocumented.is_empty(), "{undocumented:#?}");
    }
}
