//! Random traces on a channel, against a model that is as simple as a channel can be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::task::Poll;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tacket::{Channel, ReceiveError, SendError, TryReceiveError, TrySendError};

use super::task::Task;

/// How many operations a trace has, and how many can be under way in it at the same time, in each direction.
const STEPS: usize = 500;
const PENDING: usize = 6;

/// As many traces a capacity: 130,000 operations.
const TRACES: u64 = 65;

/// What should happen. Values are numbers that count up, and so are operations.
#[derive(Default)]
struct Model {
    capacity: usize,
    /// Given to receivers who were dropped: these come first.
    returned: BTreeSet<u64>,
    values: VecDeque<u64>,
    /// Who waits: operations, those of senders with their values.
    senders: VecDeque<(u64, u64)>,
    receivers: VecDeque<u64>,
    /// Operations that were served while they waited, those of receivers with their values.
    sent: BTreeSet<u64>,
    given: BTreeMap<u64, u64>,
}

impl Model {
    fn send(&mut self, value: u64) -> bool {
        if let Some(receiver) = self.receivers.pop_front() {
            self.given.insert(receiver, value);
            return true;
        }
        let has_room = self.values.len() < self.capacity;
        if has_room {
            self.values.push_back(value);
        }
        has_room
    }

    fn receive(&mut self) -> Option<u64> {
        if let Some(value) = self.returned.pop_first() {
            return Some(value);
        }
        if let Some((sender, value)) = self.senders.pop_front() {
            self.sent.insert(sender);
            self.values.push_back(value);
        }
        self.values.pop_front()
    }

    fn drop_receive(&mut self, receiver: u64) {
        self.receivers.retain(|waiting| *waiting != receiver);
        if let Some(value) = self.given.remove(&receiver) {
            match self.receivers.pop_front() {
                Some(next) => drop(self.given.insert(next, value)),
                None => drop(self.returned.insert(value)),
            }
        }
    }
}

type Sends<'c> = BTreeMap<u64, Task<'c, Result<(), SendError<u64>>>>;
type Receives<'c> = BTreeMap<u64, Task<'c, Result<Option<u64>, ReceiveError>>>;

fn any<'m, T>(random: &mut impl Rng, tasks: &'m mut BTreeMap<u64, T>) -> Option<(u64, &'m mut T)> {
    let place = (random.next_u32() as usize).checked_rem(tasks.len())?;
    let (number, task) = tasks.iter_mut().nth(place)?;
    Some((*number, task))
}

/// Plays a trace until its last step, or until a receiver is closed, then closes what is left.
fn play<const N: usize>(seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let channel = Channel::<u64, N, NoopRawMutex, 32>::new();
    let (tx, rx) = channel.open().expect("it is new");
    let (tx, rx) = (Rc::new(tx), Rc::new(rx));
    let mut model = Model {
        capacity: N,
        ..Model::default()
    };
    let (mut sends, mut receives) = (Sends::new(), Receives::new());
    let closes_receiver = random.next_u32() % 2 == 0;
    for number in 0..STEPS as u64 {
        match random.next_u32() % 10 {
            0 => {
                let expected = match model.send(number) {
                    true => Ok(()),
                    false => Err(TrySendError::Full(number)),
                };
                assert_eq!(tx.try_send(number), expected);
            }
            1 => {
                let expected = model.receive().map(Some).ok_or(TryReceiveError::Empty);
                assert_eq!(rx.try_receive(), expected);
            }
            2 | 3 if sends.len() < PENDING => {
                let tx = Rc::clone(&tx);
                let mut task = Task::new(async move { tx.send(number).await });
                if model.send(number) {
                    assert_eq!(task.poll(), Poll::Ready(Ok(())));
                } else {
                    model.senders.push_back((number, number));
                    assert_eq!(task.poll(), Poll::Pending);
                    sends.insert(number, task);
                }
            }
            4 | 5 if receives.len() < PENDING => {
                let rx = Rc::clone(&rx);
                let mut task = Task::new(async move { rx.receive().await });
                if let Some(value) = model.receive() {
                    assert_eq!(task.poll(), Poll::Ready(Ok(Some(value))));
                } else {
                    model.receivers.push_back(number);
                    assert_eq!(task.poll(), Poll::Pending);
                    receives.insert(number, task);
                }
            }
            6 => {
                if let Some((number, task)) = any(&mut random, &mut sends) {
                    let is_sent = model.sent.remove(&number);
                    assert_eq!(task.is_woken(), is_sent);
                    assert_eq!(task.poll().is_ready(), is_sent);
                    if is_sent {
                        sends.remove(&number);
                    }
                }
            }
            7 => {
                if let Some((number, task)) = any(&mut random, &mut receives) {
                    let value = model.given.remove(&number);
                    assert_eq!(task.is_woken(), value.is_some());
                    let expected =
                        value.map_or(Poll::Pending, |value| Poll::Ready(Ok(Some(value))));
                    assert_eq!(task.poll(), expected);
                    if value.is_some() {
                        receives.remove(&number);
                    }
                }
            }
            8 => {
                if let Some((number, _)) = any(&mut random, &mut sends) {
                    model.senders.retain(|(sender, _)| *sender != number);
                    model.sent.remove(&number);
                    sends.remove(&number);
                }
            }
            _ => {
                if let Some((number, _)) = any(&mut random, &mut receives) {
                    model.drop_receive(number);
                    receives.remove(&number);
                }
            }
        }
        let told = channel.statistics();
        assert_eq!(told.buffered, model.values.len() + model.returned.len());
        assert_eq!(told.waiting_to_send, model.senders.len());
        assert_eq!(told.waiting_to_receive, model.receivers.len());
    }

    if closes_receiver {
        receives.clear();
        drop(rx);
        for (number, task) in sends {
            let expected = match model.sent.contains(&number) {
                true => Ok(()),
                false => Err(SendError::Broken(number)),
            };
            assert_eq!(task.woken_ready(), expected);
        }
    } else {
        for (number, mut task) in core::mem::take(&mut sends) {
            // Those who wait are dropped, and have sent nothing.
            let is_sent = model.sent.remove(&number);
            assert_eq!(task.poll().is_ready(), is_sent);
            model.senders.retain(|(sender, _)| *sender != number);
        }
        drop(tx);
        model.senders.clear();
        while !receives.is_empty() {
            // Only what was given can come now, even to others than it was given to.
            let is_over = model.given.is_empty();
            let chosen = any(&mut random, &mut receives);
            match (random.next_u32() % 3, chosen) {
                (0, Some((number, task))) => {
                    let value = model.given.remove(&number);
                    let is_ready = value.is_some() || is_over;
                    assert_eq!(task.is_woken(), is_ready);
                    let polled = task.poll();
                    if is_ready {
                        assert_eq!(polled, Poll::Ready(Ok(value)));
                        model.receivers.retain(|waiting| *waiting != number);
                        receives.remove(&number);
                    } else {
                        assert_eq!(polled, Poll::Pending);
                    }
                }
                (1, Some((number, _))) => {
                    model.drop_receive(number);
                    receives.remove(&number);
                }
                _ => {
                    let expected = match model.receive() {
                        None if !is_over => Err(TryReceiveError::Empty),
                        value => Ok(value),
                    };
                    assert_eq!(rx.try_receive(), expected);
                }
            }
        }
        while let Some(value) = model.receive() {
            assert_eq!(rx.try_receive(), Ok(Some(value)));
        }
        assert_eq!(rx.try_receive(), Ok(None));
    }
}

fn play_all<const N: usize>() {
    for seed in 0..TRACES {
        println!("capacity {N}, seed {seed}");
        play::<N>(seed);
    }
}

#[test]
fn random_traces_go_as_the_model_says() {
    play_all::<0>();
    play_all::<1>();
    play_all::<2>();
    play_all::<7>();
}
