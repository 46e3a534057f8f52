//! An Ethernet on which nobody answers.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

/// A driver that sends into the void.
pub(super) struct Nobody;

pub(super) struct Token;

impl RxToken for Token {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, work: F) -> R {
        work(&mut [])
    }
}

impl TxToken for Token {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        work(&mut vec![0; length])
    }
}

impl Driver for Nobody {
    type RxToken<'a> = Token;
    type TxToken<'a> = Token;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Token, Token)> {
        None
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Token> {
        Some(Token)
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1])
    }
}
