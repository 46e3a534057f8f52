//! The machines that images are booted on.

/// A machine of QEMU, and how a network is put into it.
///
/// ```
/// use tacket_hil::Board;
///
/// /// The board of your firmware, if it is none of those here.
/// const AN505: Board = Board::new("qemu-system-arm", &["-M", "mps2-an505"]).nic("lan9118");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    pub(crate) qemu: &'static str,
    pub(crate) machine: &'static [&'static str],
    pub(crate) nic: Nic,
    pub(crate) counts_time: bool,
}

/// The network controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nic {
    None,
    /// Built into the machine: `-net nic,model=...`
    BuiltIn(&'static str),
    /// Put into it: `-device ...`
    Device(&'static str),
}

impl Board {
    /// Arm MPS2 with a Cortex-M3 and a LAN9118.
    pub const MPS2_AN385: Self = Self::new("qemu-system-arm", &["-M", "mps2-an385"]).nic("lan9118");

    /// Arm MPS2 with a Cortex-M4 and a LAN9118.
    pub const MPS2_AN386: Self = Self::new("qemu-system-arm", &["-M", "mps2-an386"]).nic("lan9118");

    /// The generic machine with a 32-bit RISC-V processor, and virtio-net.
    pub const RISCV32_VIRT: Self = Self::new(
        "qemu-system-riscv32",
        &["-M", "virt", "-m", "8M", "-bios", "none"],
    )
    .device("virtio-net-device");

    /// The machine that `qemu` with these options is. Without a network controller, until one is named.
    #[must_use]
    pub const fn new(qemu: &'static str, machine: &'static [&'static str]) -> Self {
        Self {
            qemu,
            machine,
            nic: Nic::None,
            counts_time: true,
        }
    }

    /// With the controller of this model, which belongs to the machine.
    #[must_use]
    pub const fn nic(mut self, model: &'static str) -> Self {
        self.nic = Nic::BuiltIn(model);
        self
    }

    /// With the controller of this model, which is a device to be put into the machine.
    #[must_use]
    pub const fn device(mut self, model: &'static str) -> Self {
        self.nic = Nic::Device(model);
        self
    }

    /// With time that does not go by instructions, but is that of the host.
    ///
    /// By default an instruction takes 32 ns (`-icount shift=5`). Then time goes on evenly, however busy the host is, and the emulator's own
    /// network is looked after even while the guest sleeps, which without costs up to a second a packet (QEMU 7.2).
    #[must_use]
    pub const fn in_real_time(mut self) -> Self {
        self.counts_time = false;
        self
    }
}
