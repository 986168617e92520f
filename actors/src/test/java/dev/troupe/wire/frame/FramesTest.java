package dev.troupe.wire.frame;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Candidates;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.HandOff;
import dev.troupe.stage.Partial;
import dev.troupe.stage.SequenceStart;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.TensorMessage;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.wire.frame.FrameException.Fault;
import dev.troupe.wire.kryo.FakeRefs;
import dev.troupe.wire.kryo.RandomValues;
import dev.troupe.wire.kryo.WireCodec;
import dev.troupe.wire.kryo.WireTypes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FramesTest {
    private static final int LONGEST = 4 * 1024;
    private static final ShardId TARGET = new ShardId(new Epoch(7, -3), 2, 1);

    private final FakeRefs refs = new FakeRefs();
    private final RandomValues values = new RandomValues(1, refs::any);
    private final WireCodec codec = new WireCodec(WireTypes.load(), refs);
    private final FrameEncoder encoder = new FrameEncoder(codec, new FramePool(LONGEST), LONGEST);

    @Test
    void carriesEveryMessageOfOneFrame() throws FrameException {
        for (TensorMessage message : List.of(
                partial(3, 5, 0),
                handOff(batch(4), 2, 0),
                candidates(),
                new CandidateRequest(TARGET.epoch(), 9, 1, Ints.of(0, 2), Ints.of(64, 128)))) {
            List<ByteBuffer> frames = encoder.encode(TARGET, message);

            assertThat(frames).hasSize(1);
            assertThat(decoded(frames))
                    .containsExactly(
                            new Delivery(TARGET, message, frames.getFirst().limit()));
        }
    }

    @Test
    void splitsALargeTensorByRows() throws FrameException {
        Partial whole = partial(10, 500, 30); // 2 rows a frame

        List<Delivery> pieces = decoded(encoder.encode(TARGET, whole));

        assertThat(pieces).hasSize(5);
        for (int i = 0; i < 5; i++) {
            assertThat(pieces.get(i).message())
                    .isEqualTo(new Partial(
                            whole.epoch(),
                            9,
                            3,
                            1,
                            4,
                            6,
                            30 + 2 * i,
                            whole.values().floats().slice(2 * i, 2 * i + 2)));
        }
    }

    @Test
    void givesEveryPieceOfAHandOffItsBatch() throws FrameException {
        HandOff whole = handOff(batch(4), 10, 0);

        List<Delivery> pieces = decoded(encoder.encode(TARGET, whole));

        assertThat(pieces).hasSizeGreaterThan(1).allSatisfy(piece -> {
            HandOff handOff = (HandOff) piece.message();
            assertThat(handOff.batch()).isEqualTo(whole.batch());
            assertThat(handOff.values())
                    .isEqualTo(whole.values()
                            .floats()
                            .slice(
                                    handOff.firstRow(),
                                    handOff.firstRow() + handOff.values().rows()));
        });
    }

    @Test
    void carriesMetadataAndRowsThatAreLargerThanAFrame() throws FrameException {
        HandOff longPrompt = handOff(batch(20_000), 1, 0);
        Partial wideRows = partial(2, 5_000, 0);

        assertThat(decoded(encoder.encode(TARGET, longPrompt)))
                .extracting(Delivery::message)
                .containsExactly(longPrompt);
        assertThat(decoded(encoder.encode(TARGET, wideRows)))
                .extracting(delivery -> ((Partial) delivery.message()).values())
                .containsExactly(
                        wideRows.values().floats().slice(0, 1),
                        wideRows.values().floats().slice(1, 2));
    }

    @Test
    void carriesATensorWithoutRows() throws FrameException {
        Partial none = new Partial(TARGET.epoch(), 9, 3, 1, 4, 6, 0, new Floats(0, 8, new float[0]));

        assertThat(decoded(encoder.encode(TARGET, none)))
                .extracting(Delivery::message)
                .containsExactly(none);
    }

    @Test
    void refusesToSendWhatIsTooLargeForAnyMessage() {
        HandOff endless = handOff(batch(6_000_000), 1, 0);

        assertThatThrownBy(() -> encoder.encode(TARGET, endless))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at most 16777216");
    }

    @Test
    void waitsForTheRestOfAFrame() throws FrameException {
        Partial message = partial(3, 5, 0);
        ByteBuffer frame = encoder.encode(TARGET, message).getFirst();
        FrameDecoder decoder = new FrameDecoder(codec, LONGEST);
        ByteBuffer in = ByteBuffer.allocateDirect(LONGEST).order(ByteOrder.LITTLE_ENDIAN);

        for (int i = 0; i < frame.limit() - 1; i++) {
            in.put(frame.get(i)).flip();
            assertThat(decoder.next(in)).isNull();
            in.compact();
        }
        in.put(frame.get(frame.limit() - 1)).flip();

        assertThat(decoder.next(in)).extracting(Delivery::message).isEqualTo(message);
    }

    @Test
    void noticesEveryFlippedBit() {
        ByteBuffer frame = encoder.encode(TARGET, partial(1, 3, 0)).getFirst();
        for (int bit = 0; bit < 8 * frame.limit(); bit++) {
            ByteBuffer copy = copy(frame);
            copy.put(bit / 8, (byte) (copy.get(bit / 8) ^ 1 << bit % 8));

            Fault fault = faultOf(copy);

            // A larger length only makes the decoder wait for bytes that then do not match.
            boolean waits = fault == null && bit / 8 >= 8 && bit / 8 < 12;
            assertThat(fault != null || waits).as("bit %d", bit).isTrue();
        }
        ByteBuffer last = copy(frame);
        last.put(last.limit() - 1, (byte) (last.get(last.limit() - 1) ^ 1));
        assertThat(faultOf(last)).isEqualTo(Fault.CHECKSUM);
    }

    @Test
    void refusesWhatIsNoFrameFromItsFirstBytes() {
        assertThat(faultOf(bytes("GET / HTTP/1.1\r\n"))).isEqualTo(Fault.MALFORMED);
        assertThat(faultOf(ByteBuffer.allocate(4))).isEqualTo(Fault.MALFORMED);
    }

    @Test
    void refusesAnotherVersionBeforeTheRestHasCome() {
        ByteBuffer frame = copy(encoder.encode(TARGET, partial(1, 3, 0)).getFirst());
        frame.put(FrameView.AT_VERSION, (byte) 9).limit(12);

        assertThat(faultOf(frame)).isEqualTo(Fault.VERSION);
    }

    @Test
    void refusesAHugeLengthBeforeTheRestHasCome() {
        for (int length : new int[] {LONGEST - FrameView.HEADER + 1, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            ByteBuffer frame = copy(encoder.encode(TARGET, partial(1, 3, 0)).getFirst());
            frame.putInt(FrameView.AT_LENGTH, length).limit(12);

            assertThat(faultOf(frame)).as("length %d", length).isEqualTo(Fault.MALFORMED);
        }
    }

    @Test
    void refusesFieldsThatContradictEachOther() {
        int[] fields = {FrameView.AT_METADATA, FrameView.AT_ROWS, FrameView.AT_COLUMNS, FrameView.AT_STEP};
        SplittableRandom random = new SplittableRandom(3);
        for (TensorMessage message : List.of(partial(3, 5, 0), handOff(batch(4), 2, 0), candidates())) {
            for (int field : fields) {
                for (int i = 0; i < 200; i++) {
                    ByteBuffer frame = copy(encoder.encode(TARGET, message).getFirst());
                    int before = frame.getInt(field);
                    int after = i % 2 == 0 ? random.nextInt() : before + random.nextInt(-3, 4);
                    frame.putInt(field, after);
                    new FrameView(frame, 0).seal();
                    boolean free = field == FrameView.AT_STEP && message instanceof Partial;

                    if (after != before && !free) {
                        assertThat(faultOf(frame))
                                .as("field %d: %d instead of %d in %s", field, after, before, message)
                                .isEqualTo(Fault.MALFORMED);
                    }
                }
            }
        }
    }

    @Test
    void refusesKindsThatAreNoneOrOthers() {
        for (TensorMessage message : List.of(partial(3, 5, 0), handOff(batch(4), 2, 0), candidates())) {
            ByteBuffer original = encoder.encode(TARGET, message).getFirst();
            for (int kind = -128; kind < 128; kind++) {
                ByteBuffer frame = copy(original).put(FrameView.AT_KIND, (byte) kind);
                new FrameView(frame, 0).seal();

                if (kind != original.get(FrameView.AT_KIND)) {
                    assertThat(faultOf(frame))
                            .as("kind %d for %s", kind, message)
                            .isEqualTo(Fault.MALFORMED);
                }
            }
        }
    }

    @Test
    void refusesMessagesThatGoOnWithoutHavingBegun() {
        List<ByteBuffer> frames = encoder.encode(TARGET, handOff(batch(20_000), 1, 0));

        assertThat(faultOf(frames.get(1))).isEqualTo(Fault.MALFORMED);
        assertThatThrownBy(() -> decoded(List.of(copy(frames.get(0)), copy(frames.get(0)))))
                .isInstanceOf(FrameException.class)
                .hasMessageContaining("begins inside another");
    }

    @Test
    void greetsAndRefuses() throws FrameException {
        FramePool pool = new FramePool(LONGEST);
        Hello hello =
                new Hello(Hello.Purpose.CALL, Hello.Channel.BULK, -5, "1-abc", "127.0.0.1:7000", "127.0.0.2:7000");

        assertThat(Hello.read(hello.toFrame(pool))).isEqualTo(hello);
        assertThat(Hello.read(Hello.refusal(pool, "no\nway"))).isEqualTo(new Hello.Refusal("no?way"));
        assertThat(Hello.read(Hello.refusal(pool, "x".repeat(2000)))).isEqualTo(new Hello.Refusal("x".repeat(512)));
    }

    @Test
    void neverGivesAnythingButAFrameExceptionForRandomGreetings() {
        SplittableRandom random = new SplittableRandom(4);
        FramePool pool = new FramePool(LONGEST);
        Hello hello =
                new Hello(Hello.Purpose.CARRY, Hello.Channel.STEP, 5, "1-abc", "127.0.0.1:7000", "127.0.0.2:7000");
        for (int i = 0; i < 20_000; i++) {
            ByteBuffer frame = copy(hello.toFrame(pool));
            for (int flips = random.nextInt(1, 5); flips > 0; flips--) {
                frame.put(random.nextInt(FrameView.HEADER, frame.limit()), (byte) random.nextInt());
            }
            new FrameView(frame, 0).seal();
            try {
                assertThat(Hello.read(frame)).isInstanceOf(Hello.class);
            } catch (FrameException e) {
                assertThat(e.fault()).isEqualTo(Fault.MALFORMED);
            }
        }
    }

    private Partial partial(int rows, int columns, int firstRow) {
        return new Partial(TARGET.epoch(), 9, 3, 1, 4, 6, firstRow, values.floats(rows, columns));
    }

    private HandOff handOff(StepBatch batch, int rows, int firstRow) {
        HandOff any = (HandOff) values.of(HandOff.class);
        return new HandOff(batch, any.failedTokens(), any.work(), firstRow, values.floats(rows, 300));
    }

    private Candidates candidates() {
        Candidates any = (Candidates) values.of(Candidates.class);
        return new Candidates(TARGET.epoch(), 9, 1, 0, any.answers(), any.failedTokens(), any.deferred());
    }

    private static StepBatch batch(int promptTokens) {
        Ints prompt = Ints.of(IntStream.range(0, promptTokens).toArray());
        SequenceStart start = new SequenceStart(prompt, promptTokens, SamplingParameters.greedy(), 0);
        StepEntry entry = new StepEntry(5, start, 0, prompt.slice(0, 1), Ints.of(3), List.of());
        return new StepBatch(TARGET.epoch(), 9, List.of(entry), List.of(4L), 0);
    }

    private List<Delivery> decoded(List<ByteBuffer> frames) throws FrameException {
        FrameDecoder decoder = new FrameDecoder(codec, LONGEST);
        List<Delivery> deliveries = new ArrayList<>();
        for (ByteBuffer frame : frames) {
            Delivery delivery = decoder.next(frame);
            if (delivery != null) {
                deliveries.add(delivery);
            }
            assertThat(frame.hasRemaining()).isFalse();
        }
        return deliveries;
    }

    private @Nullable Fault faultOf(ByteBuffer bytes) {
        try {
            FrameDecoder decoder = new FrameDecoder(codec, LONGEST);
            Delivery delivery = decoder.next(bytes.order(ByteOrder.LITTLE_ENDIAN));
            assertThat(delivery).isNull();
            return null;
        } catch (FrameException e) {
            return e.fault();
        }
    }

    private static ByteBuffer copy(ByteBuffer frame) {
        return ByteBuffer.allocate(frame.limit())
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(frame.duplicate().position(0))
                .flip();
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
}
