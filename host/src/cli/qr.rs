//! QR codes for a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Why a text has no QR code.
#[derive(Debug, thiserror::Error)]
#[error("a text of {bytes} bytes does not fit into a QR code")]
pub struct TooLong {
    /// Its length.
    pub bytes: usize,
}

/// Draws `text` with half blocks, two modules a character, with the quiet zone around it. The light
/// modules are the ones that are drawn, since most terminals are dark.
///
/// ```
/// let code = walnut::cli::qr::draw("https://qr.alipay.com/bavh4wjlxf12tper3a")?;
/// assert!(code.lines().count() > 10);
/// # Ok::<(), walnut::cli::qr::TooLong>(())
/// ```
pub fn draw(text: &str) -> Result<String, TooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|_| TooLong { bytes: text.len() })?;
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_of_blocks() {
        let code = draw("https://qr.alipay.com/bavh4wjlxf12tper3a").unwrap();
        // Version 3: 29 modules and 4 of quiet zone on each side, two rows a line.
        let widths: Vec<_> = code.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, vec![37; 19]);
        assert!(code.chars().all(|c| " ▄▀█\n".contains(c)));
        assert!(draw(&"x".repeat(3000)).is_err());
    }
}
