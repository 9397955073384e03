//! The peers of the parked sockets: each takes the next step of a connection
//! only on request.
//!
//! It answers nothing by itself. So a socket waits for exactly the withheld
//! segment, and the peer sends it on request ([`FarEnd::tell`]).

use super::LabError;
use super::device::{Device, DeviceChoice};
use super::namespace::Namespace;
use super::rtnetlink::DeviceIndex;
use super::segment::{Control, Segment, datagram};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The longest a segment may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Window of the peer.
const WINDOW: u16 = 0xffff;
/// Its first sequence number.
const INITIAL: u32 = 1000;

/// State of one connection at the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The end of this machine's kernel.
    pub here: SocketAddr,
    /// The end that the lab plays.
    pub there: SocketAddr,
    /// Next sequence number of the peer.
    next: u32,
    /// Next sequence number expected from the kernel.
    heard: u32,
    /// Last sequence number acknowledged to the kernel.
    acknowledged: u32,
}

/// The next thing the peer of a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answers a SYN.
    AnswerSyn,
    /// Answers a SYN, and takes no bytes.
    AnswerSynBlocked,
    /// Acknowledges everything received.
    Acknowledge,
    /// Closes, and acknowledges everything received.
    Finish,
    /// Closes without acknowledging new data, as if both FINs crossed.
    FinishCrossing,
    /// Repeats its FIN, as if its ACK was lost.
    FinishAgain,
    /// Sends this many bytes.
    Send(u16),
    /// Forgets the connection.
    Reset,
}

/// All peers of the parked sockets.
pub struct FarEnd {
    device: Device,
}

impl FarEnd {
    /// Creates the device and opens its peer side.
    ///
    /// # Errors
    ///
    /// If no device is available.
    pub fn open(namespace: &Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let device = Device::open(namespace, choice)?;
        Ok(Self { device })
    }

    pub(super) fn device_index(&self) -> DeviceIndex {
        self.device.index()
    }

    /// Waits for the SYN of a socket that connects to `there`.
    pub(super) fn hear_syn(&mut self, there: SocketAddr) -> Result<Conversation, LabError> {
        let syn = self.hear("a SYN", |segment| {
            segment.to == there && segment.control == Control::Syn
        })?;
        Ok(Conversation {
            here: syn.from,
            there,
            next: INITIAL,
            heard: syn.end(),
            acknowledged: syn.sequence,
        })
    }

    /// Sends a SYN from `there`, and waits for the SYN+ACK.
    pub(super) fn knock(
        &mut self,
        there: SocketAddr,
        here: SocketAddr,
    ) -> Result<Conversation, LabError> {
        let mut conversation = Conversation {
            here,
            there,
            next: INITIAL,
            heard: 0,
            acknowledged: 0,
        };
        self.say(&mut conversation, Control::Syn, None, &[]);
        let answer = self.hear("a SYN+ACK", |segment| {
            (segment.from, segment.to) == (here, there) && segment.control == Control::Syn
        })?;
        conversation.heard = answer.end();
        conversation.acknowledged = answer.sequence;
        Ok(conversation)
    }

    /// Sends a SYN from `there` and forgets it, as one with a forged address.
    pub fn forge_syn(&mut self, there: SocketAddr, here: SocketAddr) {
        self.device_send(&Segment {
            from: there,
            to: here,
            control: Control::Syn,
            sequence: INITIAL,
            acknowledged: None,
            window: WINDOW,
            payload: Vec::new(),
        });
    }

    /// Completes a limited number of pending handshakes, as a client does that
    /// receives the SYN+ACK late. Returns their number.
    pub fn finish_handshakes(&mut self, most: usize) -> usize {
        let mut finished = 0;
        while finished < most
            && let Some(packet) = self.device.receive()
        {
            let answer = Segment::read(&packet)
                .filter(|segment| segment.control == Control::Syn)
                .and_then(|segment| Some((segment.acknowledged?, segment)));
            if let Some((sequence, segment)) = answer {
                self.device_send(&Segment {
                    from: segment.to,
                    to: segment.from,
                    control: Control::None,
                    sequence,
                    acknowledged: Some(segment.end()),
                    window: WINDOW,
                    payload: Vec::new(),
                });
                finished += 1;
            }
        }
        finished
    }

    /// Reads and discards all pending segments.
    pub fn pass_over(&mut self) {
        self.drain();
    }

    /// Waits for the FIN of a socket.
    pub(super) fn hear_fin(&mut self, with: &mut Conversation) -> Result<(), LabError> {
        let fin = self.hear_from(with, "a FIN", |segment| segment.control == Control::Fin)?;
        with.heard = fin.end();
        Ok(())
    }

    /// Waits for data of a socket.
    pub(super) fn hear_bytes(&mut self, with: &mut Conversation) -> Result<(), LabError> {
        let bytes = self.hear_from(with, "bytes", |segment| !segment.payload.is_empty())?;
        with.heard = bytes.end();
        Ok(())
    }

    /// Waits until everything sent by the peer is acknowledged.
    pub(super) fn hear_ack(&mut self, with: &Conversation) -> Result<(), LabError> {
        let next = with.next;
        self.hear_from(with, "an ACK", |segment| segment.acknowledged == Some(next))?;
        Ok(())
    }

    /// Waits until the kernel has processed everything that was sent: repeats
    /// an old sequence number, which must be answered (RFC 9293, 3.10.7.4).
    pub(super) fn settle(&mut self, with: &Conversation) -> Result<(), LabError> {
        self.drain();
        self.device_send(&Segment {
            sequence: with.next.wrapping_sub(1),
            ..with.segment(Control::None)
        });
        self.hear_ack(with)
    }

    /// Returns true if a reset is among the pending segments. The kernel has
    /// sent its segments by the time the causing call returns.
    pub(super) fn hears_reset(&mut self, with: &Conversation) -> bool {
        let mut reset = false;
        while let Some(packet) = self.device.receive() {
            reset |= Segment::read(&packet).is_some_and(|segment| {
                (segment.from, segment.to) == (with.here, with.there)
                    && segment.control == Control::Rst
            });
        }
        reset
    }

    /// Sends the peer's next step.
    pub fn tell(&mut self, with: &mut Conversation, step: Step) {
        // Pending segments belong to the past; expected ones arrive later.
        self.drain_into(with);
        match step {
            Step::AnswerSyn => self.answer(with, Control::Syn),
            Step::AnswerSynBlocked => {
                with.acknowledged = with.heard;
                let segment = Segment {
                    window: 0,
                    ..with.segment(Control::Syn)
                };
                with.next = segment.end();
                self.device_send(&segment);
            }
            Step::Acknowledge => self.answer(with, Control::None),
            Step::Finish => self.answer(with, Control::Fin),
            Step::FinishCrossing => {
                let old = Some(with.acknowledged);
                self.say(with, Control::Fin, old, &[]);
            }
            Step::FinishAgain => self.device_send(&Segment {
                sequence: with.next.wrapping_sub(1),
                ..with.segment(Control::Fin)
            }),
            Step::Send(count) => {
                with.acknowledged = with.heard;
                let heard = Some(with.heard);
                self.say(with, Control::None, heard, &vec![b'x'; usize::from(count)]);
            }
            Step::Reset => self.answer(with, Control::Rst),
        }
    }

    /// Sends a datagram.
    pub(super) fn send_datagram(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if let Some(packet) = datagram(from, to, payload) {
            self.device.send(&packet);
        }
    }

    /// Acknowledges everything received, with a control flag.
    fn answer(&mut self, with: &mut Conversation, control: Control) {
        with.acknowledged = with.heard;
        let heard = Some(with.heard);
        self.say(with, control, heard, &[]);
    }

    fn say(
        &mut self,
        with: &mut Conversation,
        control: Control,
        acknowledged: Option<u32>,
        payload: &[u8],
    ) {
        let segment = Segment {
            acknowledged,
            payload: payload.to_vec(),
            ..with.segment(control)
        };
        with.next = segment.end();
        self.device_send(&segment);
    }

    fn device_send(&mut self, segment: &Segment) {
        if let Some(packet) = segment.packet() {
            self.device.send(&packet);
        }
    }

    /// Discards pending segments, so that old ones are not taken for an answer.
    fn drain(&mut self) {
        while self.device.receive().is_some() {}
    }

    /// Reads the pending segments and updates the sequence number of each
    /// connection: segments that are skipped later are retransmissions.
    pub(super) fn note<'c>(&mut self, conversations: impl Iterator<Item = &'c mut Conversation>) {
        let mut conversations: Vec<_> = conversations.collect();
        while let Some(packet) = self.device.receive() {
            let Some(segment) = Segment::read(&packet) else {
                continue;
            };
            let ends = (segment.from, segment.to);
            let with = conversations
                .iter_mut()
                .find(|with| (with.here, with.there) == ends && with.heard == segment.sequence);
            if let Some(with) = with {
                with.heard = segment.end();
            }
        }
    }

    /// Reads the pending segments and updates the sequence number of one
    /// connection.
    fn drain_into(&mut self, with: &mut Conversation) {
        while let Some(packet) = self.device.receive() {
            if let Some(segment) = Segment::read(&packet)
                && (segment.from, segment.to) == (with.here, with.there)
                && segment.sequence == with.heard
            {
                with.heard = segment.end();
            }
        }
    }

    fn hear_from(
        &mut self,
        with: &Conversation,
        what: &str,
        wanted: impl Fn(&Segment) -> bool,
    ) -> Result<Segment, LabError> {
        let ends = (with.here, with.there);
        self.hear(what, |segment| {
            (segment.from, segment.to) == ends && wanted(segment)
        })
    }

    /// Waits for a segment; others are skipped.
    fn hear(&mut self, what: &str, wanted: impl Fn(&Segment) -> bool) -> Result<Segment, LabError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(packet) = self.device.receive() {
                if let Some(segment) = Segment::read(&packet).filter(&wanted) {
                    return Ok(segment);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LabError::Late(what.to_owned()));
            }
            self.device.wait(left)?;
        }
    }
}

impl Conversation {
    /// Creates a segment of the peer without new data.
    fn segment(&self, control: Control) -> Segment {
        Segment {
            from: self.there,
            to: self.here,
            control,
            sequence: self.next,
            acknowledged: Some(self.acknowledged),
            window: WINDOW,
            payload: Vec::new(),
        }
    }
}
