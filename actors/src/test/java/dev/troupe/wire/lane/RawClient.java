package dev.troupe.wire.lane;

import dev.troupe.stage.Partial;
import dev.troupe.stage.ShardId;
import dev.troupe.wire.frame.FrameEncoder;
import dev.troupe.wire.frame.FrameException;
import dev.troupe.wire.frame.FramePool;
import dev.troupe.wire.frame.Hello;
import dev.troupe.wire.kryo.WireCodec;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A stranger's plain socket at a lane's port. */
final class RawClient implements AutoCloseable {
    private static final FramePool POOL = new FramePool(256 * 1024);
    final Socket socket = new Socket();

    RawClient(TensorLane lane) throws IOException {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) LaneFixture.SOON.toMillis());
        socket.connect(
                new InetSocketAddress(lane.address().host(), lane.address().port()));
    }

    RawClient send(byte... bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        return this;
    }

    RawClient send(ByteBuffer frame) throws IOException {
        return send(bytes(frame));
    }

    static byte[] bytes(ByteBuffer frame) {
        byte[] bytes = new byte[frame.remaining()];
        frame.duplicate().get(bytes);
        return bytes;
    }

    static byte[] hello(Hello hello) {
        return bytes(hello.toFrame(POOL));
    }

    static byte[] message(WireCodec codec, ShardId target, Partial partial) {
        return bytes(new FrameEncoder(codec, POOL, 256 * 1024)
                .encode(target, partial)
                .getFirst());
    }

    /** The lane's answer. */
    Record answer() throws IOException {
        ByteBuffer in = ByteBuffer.allocate(Hello.MAX_FRAME).order(ByteOrder.LITTLE_ENDIAN);
        try {
            while (true) {
                int next = socket.getInputStream().read();
                if (next < 0) {
                    throw new IOException("closed after %d bytes".formatted(in.position()));
                }
                in.put((byte) next);
                Record answer =
                        Hello.read(in.duplicate().order(ByteOrder.LITTLE_ENDIAN).flip());
                if (answer != null) {
                    return answer;
                }
            }
        } catch (FrameException e) {
            throw new IOException(e);
        }
    }

    /** Whether the lane closes the connection, by end of file or reset, before the socket's time-out. */
    boolean isClosedByLane() throws IOException {
        try {
            while (socket.getInputStream().read() >= 0) {
                // whatever it says before
            }
            return true;
        } catch (java.net.SocketTimeoutException e) {
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
