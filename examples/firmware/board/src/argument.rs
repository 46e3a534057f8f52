//! What whoever boots the image wants from it.

use core::str::FromStr;

use semihosting::experimental::env;

/// Room for all arguments.
const LENGTH: usize = 2048;

/// The value of an argument of the boot, `name=value`, if it was given. The first one counts.
///
/// # Panics
///
/// When what was given is no `T`, and when there are more than 2 KiB of arguments.
#[must_use]
pub fn argument<T: FromStr>(name: &str) -> Option<T> {
    let Ok(words) = env::args::<LENGTH>() else {
        panic!("more than {LENGTH} bytes of arguments");
    };
    let mut values = words
        .flatten()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let value = values.next()?;
    let parsed = value.parse();
    Some(parsed.unwrap_or_else(|_| panic!("{name}={value} cannot be read")))
}
