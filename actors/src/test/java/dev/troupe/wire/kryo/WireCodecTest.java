package dev.troupe.wire.kryo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.LossCause;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.StageEvent;
import dev.troupe.stage.TensorShard;
import java.io.NotSerializableException;
import java.lang.management.ManagementFactory;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class WireCodecTest {
    private static final WireTypes TYPES = WireTypes.load();
    private final FakeRefs refs = new FakeRefs();
    private final WireCodec codec = new WireCodec(TYPES, refs);

    static Stream<Class<?>> messages() {
        return TYPES.entries().stream()
                .filter(entry -> entry.use() == WireTypes.Use.MESSAGE)
                .map(WireTypes.Entry::type);
    }

    @ParameterizedTest
    @MethodSource("messages")
    void givesEveryMessageBackEqual(Class<?> type) throws NotSerializableException {
        for (int seed = 0; seed < 200; seed++) {
            Object message = new RandomValues(seed, refs::any).of(type);

            Object back = codec.decode(ByteBuffer.wrap(codec.encode(message)));

            assertThat(back).as("seed %d", seed).isEqualTo(message);
        }
    }

    @Test
    void writesAndReadsDirectBuffersInTheMiddle() throws NotSerializableException {
        Object message = new StageEvent.Ready(new Epoch(7, -1), 3);
        ByteBuffer buffer = ByteBuffer.allocateDirect(100).position(10);

        codec.encode(message, buffer);
        buffer.limit(buffer.position()).position(10);

        assertThat(codec.decode(buffer)).isEqualTo(message);
        assertThat(buffer.hasRemaining()).isFalse();
    }

    @Test
    void saysWhenTheTargetIsTooSmall() {
        Object message = new StageEvent.Lost(new Epoch(7, -1), 3, 1, LossCause.SUPERSEDED, "x".repeat(100));

        assertThatThrownBy(() -> codec.encode(message, ByteBuffer.allocate(50)))
                .isInstanceOf(BufferOverflowException.class);
        assertThat(codec.encode(message)).hasSizeGreaterThan(100);
    }

    @Test
    void refusesToWriteWhatIsNoMessage() {
        assertThatThrownBy(() -> codec.encode("text"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.String")
                .hasMessageContaining("wire-types.txt");
        assertThatThrownBy(() -> codec.encode(new Epoch(1, 1)))
                .as("a part is no message")
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @SuppressWarnings("NullAway") // The null is the point.
    void refusesToWriteAMissingComponent() {
        assertThatThrownBy(() -> codec.encode(new StageEvent.Ready(null, 3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("StageEvent$Ready.epoch is null");
        assertThat(codec.encode(PipelineStage.Stop.INSTANCE))
                .as("usable afterwards")
                .isNotEmpty();
    }

    @Test
    void refusesAPartAtTheTop() {
        // id 100 (Epoch) + 2 as Kryo writes it, then round and issuer
        byte[] epoch = {102, 2, 2};

        assertRefused(epoch, "not a message");
    }

    @Test
    void refusesAClassName() {
        // Kryo's mark for a name, name id 0, "a.B" with its end bit
        byte[] name = {1, 0, 'a', '.', (byte) ('B' | 0x80)};

        assertRefused(name, "class name");
    }

    @Test
    void refusesWhatTheConstructorRefuses() {
        byte[] execute = codec.encode(new RandomValues(5, refs::any).of(TensorShard.Execute.class));
        // A batch with one entry without tokens: id 112, epoch, step, one entry of sequence 1, no start, position 0,
        // no tokens, no blocks, no wants, nothing released.
        byte[] bytes = {114, 2, 2, 2, 1, 2, 0, 0, 0, 0, 0, 0};

        assertRefused(bytes, "tokens=0");
        assertThat(execute[0]).isEqualTo((byte) 114);
    }

    @Test
    void refusesBytesBehindAMessage() {
        byte[] bytes = codec.encode(new StageEvent.Ready(new Epoch(7, -1), 3));

        assertRefused(java.util.Arrays.copyOf(bytes, bytes.length + 3), "3 bytes too many");
    }

    private void assertRefused(byte[] bytes, String reason) {
        assertThatThrownBy(() -> codec.decode(ByteBuffer.wrap(bytes)))
                .isInstanceOf(NotSerializableException.class)
                .hasMessageContaining(reason);
    }

    @Test
    void neverGivesAnythingButARefusalForRandomBytes() {
        SplittableRandom random = new SplittableRandom(11);
        int refused = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = new byte[1 + random.nextInt(200)];
            random.nextBytes(bytes);
            if (i % 2 == 0) { // half of them with the id of a message, so that they come further
                ByteBuffer.wrap(bytes).put(codec.encode(PipelineStage.Stop.INSTANCE), 0, 1);
                bytes[0] = (byte) (102 + random.nextInt(26));
            }
            refused += refuses(bytes) ? 1 : 0;
        }

        assertThat(refused).isGreaterThan(190_000);
    }

    @Test
    void neverGivesAnythingButARefusalForMutatedMessages() {
        SplittableRandom random = new SplittableRandom(12);
        List<byte[]> valid = validMessages();
        int refused = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = mutated(valid.get(random.nextInt(valid.size())), random);
            refused += refuses(bytes) ? 1 : 0;
        }

        assertThat(refused).as("most mutations must not pass as messages").isGreaterThan(20_000);
    }

    @Test
    void neverAllocatesMuchMoreThanTheBytesItReads() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        SplittableRandom random = new SplittableRandom(13);
        List<byte[]> valid = validMessages();
        valid.forEach(this::refuses);
        long worst = 0;
        for (int i = 0; i < 50_000; i++) {
            byte[] bytes = mutated(valid.get(random.nextInt(valid.size())), random);
            long before = threads.getCurrentThreadAllocatedBytes();
            refuses(bytes);
            worst = Math.max(worst, threads.getCurrentThreadAllocatedBytes() - before);
        }

        assertThat(worst).as("bytes for one message of a few hundred").isLessThan(1_000_000);
    }

    private List<byte[]> validMessages() {
        List<byte[]> valid = new ArrayList<>();
        messages().forEach(type -> {
            for (int seed = 0; seed < 20; seed++) {
                valid.add(codec.encode(new RandomValues(seed, refs::any).of(type)));
            }
        });
        return valid;
    }

    /** Flips, cuts, and huge lengths. */
    private static byte[] mutated(byte[] original, SplittableRandom random) {
        byte[] bytes = original.clone();
        int at = random.nextInt(bytes.length);
        switch (random.nextInt(3)) {
            case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> bytes = java.util.Arrays.copyOf(bytes, at);
            default -> {
                // a variable-length int near 2^31
                byte[] huge = {-1, -1, -1, -1, (byte) (7 + random.nextInt(2))};
                System.arraycopy(huge, 0, bytes, at, Math.min(huge.length, bytes.length - at));
            }
        }
        return bytes;
    }

    /** Whether {@code bytes} are refused; anything but a refusal or a message fails the test. */
    private boolean refuses(byte[] bytes) {
        try {
            assertThat(codec.decode(ByteBuffer.wrap(bytes))).isNotNull();
            return false;
        } catch (NotSerializableException e) {
            return true;
        }
    }
}
