//! What whoever boots the image wants from it.

use core::str::FromStr;

use semihosting::experimental::env::{self, Args};

/// Room for all arguments.
const LENGTH: usize = 512;

/// The arguments of the boot: words of the form `name=value`.
#[derive(Debug)]
pub struct Arguments(Args<LENGTH>);

impl Arguments {
    /// Asks for them.
    ///
    /// # Panics
    ///
    /// When there are more than 512 bytes of them.
    #[must_use]
    pub fn load() -> Self {
        Self(env::args().unwrap_or_else(|_| panic!("more than {LENGTH} bytes of arguments")))
    }

    /// The value of `name`, if it was given.
    ///
    /// # Panics
    ///
    /// When what was given is no `T`.
    #[must_use]
    pub fn get<T: FromStr>(&self, name: &str) -> Option<T> {
        let value = self.text(name)?;
        let parsed = value.parse();
        Some(parsed.unwrap_or_else(|_| panic!("{name}={value} cannot be read")))
    }

    /// The value of `name` as it is, if it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut words = (&self.0).flatten();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}
