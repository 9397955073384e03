//! The peers of the parked sockets: each takes the next step of a connection
//! only on request.
//!
//! It answers nothing by itself. So a socket waits for exactly the withheld
//! segment, and the peer sends it on request ([`Peer::send_step`]).

use super::LabError;
use super::device::{Device, DeviceChoice};
use super::namespace::LabNamespace;
use super::rtnetlink::DeviceIndex;
use super::segment::{Segment, SegmentControl, udp_packet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The longest a segment may take on a busy machine.
const SEGMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// Window of the peer.
const WINDOW: u16 = 0xffff;
/// Its first sequence number.
const INITIAL_SEQUENCE: u32 = 1000;

/// State of one connection at the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConnection {
    /// The end of this machine's kernel.
    pub local: SocketAddr,
    /// The end that the lab plays.
    pub remote: SocketAddr,
    /// Next sequence number of the peer.
    snd_nxt: u32,
    /// Next sequence number expected from the kernel.
    rcv_nxt: u32,
    /// Last sequence number acknowledged to the kernel.
    last_ack: u32,
}

/// The next thing the peer of a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerStep {
    /// Answers a SYN.
    SynAck,
    /// Answers a SYN, and takes no bytes.
    SynAckZeroWindow,
    /// Acknowledges everything received.
    Ack,
    /// Closes, and acknowledges everything received.
    FinAck,
    /// Closes without acknowledging new data, as if both FINs crossed.
    CrossingFin,
    /// Repeats its FIN, as if its ACK was lost.
    RetransmitFin,
    /// Sends this many bytes.
    Data(u16),
    /// Forgets the connection.
    Rst,
}

/// All peers of the parked sockets.
pub struct Peer {
    device: Device,
}

impl Peer {
    /// Creates the device and opens its peer side.
    ///
    /// # Errors
    ///
    /// If no device is available.
    pub fn open(namespace: &LabNamespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let device = Device::open(namespace, choice)?;
        Ok(Self { device })
    }

    pub(super) fn device_index(&self) -> DeviceIndex {
        self.device.index()
    }

    /// Waits for the SYN of a socket that connects to `remote`.
    pub(super) fn wait_for_syn(&mut self, there: SocketAddr) -> Result<PeerConnection, LabError> {
        let syn = self.wait_for_segment("a SYN", |segment| {
            segment.to == there && segment.control == SegmentControl::Syn
        })?;
        Ok(PeerConnection {
            local: syn.from,
            remote: there,
            snd_nxt: INITIAL_SEQUENCE,
            rcv_nxt: syn.end_sequence(),
            last_ack: syn.sequence,
        })
    }

    /// Sends a SYN from `remote`, and waits for the SYN+ACK.
    pub(super) fn send_syn(
        &mut self,
        there: SocketAddr,
        here: SocketAddr,
    ) -> Result<PeerConnection, LabError> {
        let mut conversation = PeerConnection {
            local: here,
            remote: there,
            snd_nxt: INITIAL_SEQUENCE,
            rcv_nxt: 0,
            last_ack: 0,
        };
        self.send_new(&mut conversation, SegmentControl::Syn, None, &[]);
        let answer = self.wait_for_segment("a SYN+ACK", |segment| {
            (segment.from, segment.to) == (here, there) && segment.control == SegmentControl::Syn
        })?;
        conversation.rcv_nxt = answer.end_sequence();
        conversation.last_ack = answer.sequence;
        Ok(conversation)
    }

    /// Sends a SYN from `remote` and forgets it, as one with a forged address.
    pub fn send_forged_syn(&mut self, there: SocketAddr, here: SocketAddr) {
        self.transmit(&Segment {
            from: there,
            to: here,
            control: SegmentControl::Syn,
            sequence: INITIAL_SEQUENCE,
            acknowledged: None,
            window: WINDOW,
            payload: Vec::new(),
        });
    }

    /// Completes a limited number of pending handshakes, as a client does that
    /// receives the SYN+ACK late. Returns their number.
    pub fn complete_handshakes(&mut self, most: usize) -> usize {
        let mut finished = 0;
        while finished < most
            && let Some(packet) = self.device.receive()
        {
            let answer = Segment::parse(&packet)
                .filter(|segment| segment.control == SegmentControl::Syn)
                .and_then(|segment| Some((segment.acknowledged?, segment)));
            if let Some((sequence, segment)) = answer {
                self.transmit(&Segment {
                    from: segment.to,
                    to: segment.from,
                    control: SegmentControl::None,
                    sequence,
                    acknowledged: Some(segment.end_sequence()),
                    window: WINDOW,
                    payload: Vec::new(),
                });
                finished += 1;
            }
        }
        finished
    }

    /// Reads and discards all pending segments.
    pub fn discard_received(&mut self) {
        self.discard_all();
    }

    /// Waits for the FIN of a socket.
    pub(super) fn wait_for_fin(&mut self, with: &mut PeerConnection) -> Result<(), LabError> {
        let fin = self.wait_for_segment_of(with, "a FIN", |segment| {
            segment.control == SegmentControl::Fin
        })?;
        with.rcv_nxt = fin.end_sequence();
        Ok(())
    }

    /// Waits for data of a socket.
    pub(super) fn wait_for_data(&mut self, with: &mut PeerConnection) -> Result<(), LabError> {
        let bytes =
            self.wait_for_segment_of(with, "bytes", |segment| !segment.payload.is_empty())?;
        with.rcv_nxt = bytes.end_sequence();
        Ok(())
    }

    /// Waits until everything sent by the peer is acknowledged.
    pub(super) fn wait_for_ack(&mut self, with: &PeerConnection) -> Result<(), LabError> {
        let next = with.snd_nxt;
        self.wait_for_segment_of(with, "an ACK", |segment| segment.acknowledged == Some(next))?;
        Ok(())
    }

    /// Waits until the kernel has processed everything that was sent: repeats
    /// an old sequence number, which must be answered (RFC 9293, 3.10.7.4).
    pub(super) fn synchronize(&mut self, with: &PeerConnection) -> Result<(), LabError> {
        self.discard_all();
        self.transmit(&Segment {
            sequence: with.snd_nxt.wrapping_sub(1),
            ..with.segment(SegmentControl::None)
        });
        self.wait_for_ack(with)
    }

    /// Returns true if a reset is among the pending segments. The kernel has
    /// sent its segments by the time the causing call returns.
    pub(super) fn received_reset(&mut self, with: &PeerConnection) -> bool {
        let mut reset = false;
        while let Some(packet) = self.device.receive() {
            reset |= Segment::parse(&packet).is_some_and(|segment| {
                (segment.from, segment.to) == (with.local, with.remote)
                    && segment.control == SegmentControl::Rst
            });
        }
        reset
    }

    /// Sends the peer's next step.
    pub fn send_step(&mut self, with: &mut PeerConnection, step: PeerStep) {
        // Pending segments belong to the past; expected ones arrive later.
        self.track_received_of(with);
        match step {
            PeerStep::SynAck => self.send_ack(with, SegmentControl::Syn),
            PeerStep::SynAckZeroWindow => {
                with.last_ack = with.rcv_nxt;
                let segment = Segment {
                    window: 0,
                    ..with.segment(SegmentControl::Syn)
                };
                with.snd_nxt = segment.end_sequence();
                self.transmit(&segment);
            }
            PeerStep::Ack => self.send_ack(with, SegmentControl::None),
            PeerStep::FinAck => self.send_ack(with, SegmentControl::Fin),
            PeerStep::CrossingFin => {
                let old = Some(with.last_ack);
                self.send_new(with, SegmentControl::Fin, old, &[]);
            }
            PeerStep::RetransmitFin => self.transmit(&Segment {
                sequence: with.snd_nxt.wrapping_sub(1),
                ..with.segment(SegmentControl::Fin)
            }),
            PeerStep::Data(count) => {
                with.last_ack = with.rcv_nxt;
                let heard = Some(with.rcv_nxt);
                self.send_new(
                    with,
                    SegmentControl::None,
                    heard,
                    &vec![b'x'; usize::from(count)],
                );
            }
            PeerStep::Rst => self.send_ack(with, SegmentControl::Rst),
        }
    }

    /// Sends a datagram.
    pub(super) fn send_datagram(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if let Some(packet) = udp_packet(from, to, payload) {
            self.device.send(&packet);
        }
    }

    /// Acknowledges everything received, with a control flag.
    fn send_ack(&mut self, with: &mut PeerConnection, control: SegmentControl) {
        with.last_ack = with.rcv_nxt;
        let heard = Some(with.rcv_nxt);
        self.send_new(with, control, heard, &[]);
    }

    fn send_new(
        &mut self,
        with: &mut PeerConnection,
        control: SegmentControl,
        acknowledged: Option<u32>,
        payload: &[u8],
    ) {
        let segment = Segment {
            acknowledged,
            payload: payload.to_vec(),
            ..with.segment(control)
        };
        with.snd_nxt = segment.end_sequence();
        self.transmit(&segment);
    }

    fn transmit(&mut self, segment: &Segment) {
        if let Some(packet) = segment.to_packet() {
            self.device.send(&packet);
        }
    }

    /// Discards pending segments, so that old ones are not taken for an answer.
    fn discard_all(&mut self) {
        while self.device.receive().is_some() {}
    }

    /// Reads the pending segments and updates the sequence number of each
    /// connection: segments that are skipped later are retransmissions.
    pub(super) fn track_received<'c>(
        &mut self,
        conversations: impl Iterator<Item = &'c mut PeerConnection>,
    ) {
        let mut conversations: Vec<_> = conversations.collect();
        while let Some(packet) = self.device.receive() {
            let Some(segment) = Segment::parse(&packet) else {
                continue;
            };
            let ends = (segment.from, segment.to);
            let with = conversations
                .iter_mut()
                .find(|with| (with.local, with.remote) == ends && with.rcv_nxt == segment.sequence);
            if let Some(with) = with {
                with.rcv_nxt = segment.end_sequence();
            }
        }
    }

    /// Reads the pending segments and updates the sequence number of one
    /// connection.
    fn track_received_of(&mut self, with: &mut PeerConnection) {
        while let Some(packet) = self.device.receive() {
            if let Some(segment) = Segment::parse(&packet)
                && (segment.from, segment.to) == (with.local, with.remote)
                && segment.sequence == with.rcv_nxt
            {
                with.rcv_nxt = segment.end_sequence();
            }
        }
    }

    fn wait_for_segment_of(
        &mut self,
        with: &PeerConnection,
        what: &str,
        wanted: impl Fn(&Segment) -> bool,
    ) -> Result<Segment, LabError> {
        let ends = (with.local, with.remote);
        self.wait_for_segment(what, |segment| {
            (segment.from, segment.to) == ends && wanted(segment)
        })
    }

    /// Waits for a segment; others are skipped.
    fn wait_for_segment(
        &mut self,
        what: &str,
        wanted: impl Fn(&Segment) -> bool,
    ) -> Result<Segment, LabError> {
        let deadline = Instant::now() + SEGMENT_TIMEOUT;
        loop {
            while let Some(packet) = self.device.receive() {
                if let Some(segment) = Segment::parse(&packet).filter(&wanted) {
                    return Ok(segment);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LabError::Timeout(what.to_owned()));
            }
            self.device.wait(left)?;
        }
    }
}

impl PeerConnection {
    /// Creates a segment of the peer without new data.
    fn segment(&self, control: SegmentControl) -> Segment {
        Segment {
            from: self.remote,
            to: self.local,
            control,
            sequence: self.snd_nxt,
            acknowledged: Some(self.last_ack),
            window: WINDOW,
            payload: Vec::new(),
        }
    }
}
