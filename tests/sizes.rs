//! How much memory an image takes.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use object::{Object as _, ObjectSection as _, SectionFlags, SectionKind};

/// How much memory an image takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// Code, constants, and the first values of variables.
    pub flash: u64,
    /// Variables. The stack is beside them.
    pub ram: u64,
}

impl Sizes {
    /// Those of the image in this file.
    ///
    /// # Errors
    ///
    /// Those of reading the file; `InvalidData`: it is no ELF file.
    pub fn of(image: &Path) -> Result<Self, Error> {
        let data = fs::read(image)?;
        let file = object::File::parse(&*data)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let mut sizes = Self { flash: 0, ram: 0 };
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else {
                continue;
            };
            let has = |flag: u32| sh_flags & u64::from(flag) != 0;
            if !has(object::elf::SHF_ALLOC) {
                continue;
            }
            if section.kind() != SectionKind::UninitializedData {
                sizes.flash += section.size();
            }
            if has(object::elf::SHF_WRITE) {
                sizes.ram += section.size();
            }
        }
        Ok(sizes)
    }
}
