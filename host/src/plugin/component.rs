//! From a core module, as compilers make it, to the component that the callback world wants. This is for whoever builds
//! a callback: a host takes nothing but components.

use std::borrow::Cow;

use wit_component::ComponentEncoder;

use super::bindings::callback::COMPONENT_TYPE;
use super::world::custom_sections_of_module;

/// How bindings name the section in which they describe their world.
const DESCRIPTION: &str = "component-type";

/// Why a module does not become a component.
#[derive(Debug, thiserror::Error)]
#[error("the module is no callback: {0}")]
pub struct Unfit(String);

/// The component; what is none and no core module is given back as it is. A module that does not describe its world is
/// taken for one of the callback world.
pub fn callback_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unfit> {
    if !wasmparser::Parser::is_core_wasm(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let described = custom_sections_of_module(bytes)
        .map_err(Unfit)?
        .iter()
        .any(|name| name.starts_with(DESCRIPTION));
    let module = if described {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(with_description(bytes))
    };
    let component = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| Unfit(format!("{error:#}")))?;
    Ok(Cow::Owned(component))
}

/// Appends the description of the callback world as a custom section.
fn with_description(module: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    length(&mut content, DESCRIPTION.len());
    content.extend_from_slice(DESCRIPTION.as_bytes());
    content.extend_from_slice(COMPONENT_TYPE);
    let mut module = module.to_vec();
    module.push(0);
    length(&mut module, content.len());
    module.extend_from_slice(&content);
    module
}

/// A length as WebAssembly writes it: seven bits a byte, the lowest first.
fn length(to: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        to.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_description_becomes_a_callback() {
        let text = r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))"#;
        let module = wat::parse_str(text).unwrap();
        let component = callback_component(&module).unwrap();
        assert!(wasmparser::Parser::is_component(&component));
        // What is a component already, or no WebAssembly, is nobody's business here.
        assert_eq!(callback_component(&component).unwrap(), component);
        assert_eq!(callback_component(b"return 1").unwrap(), &b"return 1"[..]);
    }

    #[test]
    fn a_module_that_does_not_fit_is_told_why() {
        let module = wat::parse_str("(module (import \"env\" \"puts\" (func)))").unwrap();
        let error = callback_component(&module).unwrap_err().to_string();
        assert!(error.starts_with("the module is no callback: "), "{error}");
        assert!(callback_component(b"\0asm\x01\0\0\0\xff").is_err());
    }
}
