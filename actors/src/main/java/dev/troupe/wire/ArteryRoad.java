package dev.troupe.wire;

import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Candidates;
import dev.troupe.stage.HandOff;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.TensorMessage;
import dev.troupe.stage.TensorRoad;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.kryo.KryoSerializer;
import dev.troupe.wire.kryo.WireCodec;
import org.apache.pekko.actor.typed.ActorSystem;

/**
 * The road without a tensor lane: an ordinary {@code tell}. What is larger than a frame of Artery is split by rows into
 * pieces that are messages of their own, as the lane does it.
 */
public final class ArteryRoad implements TensorRoad {
    /** What an envelope takes beside the message: addresses, paths, manifest. */
    private static final int ENVELOPE = 4 * 1024;

    /** What a {@link Partial} takes beside its floats, at most. */
    private static final int PARTIAL_HEAD = 96;

    private final WireCodec codec;
    private final int room;

    private ArteryRoad(WireCodec codec, int room) {
        this.codec = codec;
        this.room = room;
    }

    /** The road between the nodes of {@code system}'s cluster. */
    public static ArteryRoad of(ActorSystem<?> system) {
        long frame = system.settings().config().getBytes("pekko.remote.artery.advanced.maximum-frame-size");
        return new ArteryRoad(KryoSerializer.of(system).codec(), (int) frame - ENVELOPE);
    }

    @Override
    public void send(Peer peer, TensorMessage message) {
        if (peer.ref().path().address().hasLocalScope()) {
            peer.ref().tell(message);
            return;
        }
        switch (message) {
            case Partial partial -> pieces(peer, partial);
            case HandOff handOff -> pieces(peer, handOff);
            case Candidates _, CandidateRequest _ -> peer.ref().tell(message);
        }
    }

    private void pieces(Peer peer, Partial whole) {
        Floats values = whole.values().floats();
        int each = rowsEach(values, PARTIAL_HEAD);
        for (int from = 0; from < Math.max(1, values.rows()); from += each) {
            peer.ref()
                    .tell(new Partial(
                            whole.epoch(),
                            whole.step(),
                            whole.exchange(),
                            whole.fromRank(),
                            whole.fromGroup(),
                            whole.toGroup(),
                            whole.firstRow() + from,
                            rows(values, from, each)));
        }
    }

    private void pieces(Peer peer, HandOff whole) {
        Floats values = whole.values().floats();
        int each = values.rows() == 0 ? 1 : rowsEach(values, headOf(whole));
        for (int from = 0; from < Math.max(1, values.rows()); from += each) {
            peer.ref()
                    .tell(new HandOff(
                            whole.batch(),
                            whole.failedTokens(),
                            whole.work(),
                            whole.firstRow() + from,
                            rows(values, from, each)));
        }
    }

    private int headOf(HandOff whole) {
        Floats none = new Floats(0, whole.values().columns(), new float[0]);
        return codec.encode(new HandOff(whole.batch(), whole.failedTokens(), whole.work(), whole.firstRow(), none))
                .length;
    }

    private int rowsEach(Floats values, int head) {
        int bytesPerRow = Math.max(1, Float.BYTES * values.columns());
        return Math.max(1, (room - head) / bytesPerRow);
    }

    private static Floats rows(Floats values, int from, int each) {
        int to = Math.min(values.rows(), from + each);
        return from == 0 && to == values.rows() ? values : values.slice(from, to);
    }
}
