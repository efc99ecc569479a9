//! Figures, each with its bound.

/// Figures that were printed.
#[derive(Default)]
pub(crate) struct Figures {
    broken: u32,
}

impl Figures {
    /// Prints a figure and the bound that it must not exceed.
    pub(crate) fn at_most(&mut self, what: &str, is: f64, bound: f64, unit: &str) {
        let broken = is > bound;
        self.broken += u32::from(broken);
        let verdict = if broken { "BROKEN" } else { "holds" };
        println!("{what}: {is:.2} {unit}, at most {bound:.2}: {verdict}");
    }

    /// How many bounds were broken.
    pub(crate) fn broken(&self) -> u32 {
        self.broken
    }
}
