//! Words for guests that stop themselves. Tools that bring a language with them put traps in the place of what the world
//! does not give them, such as a clock or files; all that is seen of it is `unreachable`, and the functions above it.

/// What a guest did that ended in `unreachable`, and what to do instead; the functions it was in, the innermost first,
/// with none for those without a name. None where nothing is known of it.
pub(super) fn hint(functions: &[Option<&str>]) -> Option<String> {
    let named = |wanted: &[&str]| {
        let mut names = functions.iter().flatten();
        names.any(|name| wanted.iter().any(|each| name.contains(each)))
    };
    if named(&["_PyEval_", "PyObject_", "wit_dylib_"]) {
        return python(&named).map(str::to_owned);
    }
    // The functions of `componentize-qjs` have no names, but those that the component itself is made of.
    let nameless = functions.iter().filter(|name| name.is_none()).count();
    if nameless + 2 < functions.len() || nameless < 3 {
        return None;
    }
    let adapter = functions.iter().flatten();
    let call = adapter
        .filter_map(|name| name.strip_prefix("adapter "))
        .next();
    Some(match call {
        Some(call) => format!(
            "an argument of `{call}` is not of the type that the contract wants (64-bit integers are texts in it, and a \
             BigInt is none)"
        ),
        None => "a JavaScript component does so at `Date.now()` and `new Date()` (there is no clock but `nowMs` of \
                 walnut:pay/clock), or where what it returned or threw is neither a text nor what the contract wants"
            .to_owned(),
    })
}

fn python(named: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
    let known: [(&[&str], &str); 6] = [
        (
            &["wit_dylib_pop_", "wit_dylib_push_"],
            "what it returned, raised or gave to the host is not of the type that the contract wants: an answer is a JSON \
             text, an error is `Err(\"…\")`",
        ),
        (
            &["PyErr_Display", "PyErr_Print"],
            "it raised what nobody caught: raise `componentize_py_types.Err` with a text",
        ),
        (
            &["wall_clock_", "monotonic_clock_", "clock_gettime"],
            "it asked for the time: there is no clock but `now_ms` of wit_world.imports.clock",
        ),
        (
            &["filesystem_", "__wasilibc_find_relpath"],
            "it looked for a file: there are none, and a module is imported at the top of its file, not within a function",
        ),
        (
            &["stdout_get_stdout", "stderr_get_stderr"],
            "it printed: use `write` of wit_world.imports.log",
        ),
        (
            &["random_get", "insecure_seed", "getentropy"],
            "it asked for random numbers: take them from wit_world.imports.random",
        ),
    ];
    let found = known.iter().find(|(names, _)| named(names));
    found.map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stacks as the tools' components leave them, shortened.
    #[test]
    fn what_python_lacks_is_told_in_words() {
        for (stack, words) in [
            (
                "wall_clock_now __clock_gettime PyTime_Time _PyEval_Vector run",
                "asked for the time",
            ),
            (
                "filesystem_preopens_get_directories stat os_stat _PyEval_Vector run",
                "looked for a file",
            ),
            (
                "stdout_get_stdout write _io_FileIO_write _PyEval_Vector run",
                "it printed",
            ),
            (
                "filesystem_preopens_get_directories PyObject_Call PyErr_Display",
                "nobody caught",
            ),
            (
                "stderr_get_stderr write core::panicking::panic_fmt wit_dylib_pop_string run",
                "not of the type",
            ),
        ] {
            let functions: Vec<_> = [None, None]
                .into_iter()
                .chain(stack.split(' ').map(Some))
                .collect();
            let told = hint(&functions).unwrap_or_default();
            assert!(told.contains(words), "{stack}: {told}");
        }
    }

    #[test]
    fn what_componentized_javascript_lacks_is_told_in_words() {
        let mut functions = vec![None; 14];
        functions.push(Some("run"));
        assert!(hint(&functions).unwrap().contains("`Date.now()`"));
        functions.insert(9, Some("adapter increment"));
        assert!(
            hint(&functions)
                .unwrap()
                .starts_with("an argument of `increment`")
        );
    }

    #[test]
    fn what_is_not_known_is_not_explained() {
        let rust = [Some("panic_fmt"), Some("sale::record"), None, Some("run")];
        assert_eq!(hint(&rust), None);
        assert_eq!(hint(&[Some("run")]), None);
        assert_eq!(hint(&[]), None);
        let python = [Some("abort"), Some("_PyEval_Vector")];
        assert_eq!(hint(&python), None);
    }
}
