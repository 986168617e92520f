package dev.troupe.wire.lane;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Bytes as they are: loopback only. */
final class PlainPipe implements Pipe {
    private static final int MOST_AT_ONCE = 16;

    private final SocketChannel channel;
    private final ByteBuffer[] gather = new ByteBuffer[MOST_AT_ONCE];

    PlainPipe(SocketChannel channel) {
        this.channel = channel;
    }

    @Override
    public Need handshake(Runnable workDone) {
        return Need.NOTHING;
    }

    @Override
    public @Nullable String objectionTo(LaneAddress peer) {
        return null;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        return channel.read(target);
    }

    @Override
    public boolean holdsInput() {
        return false;
    }

    @Override
    public boolean write(Deque<ByteBuffer> frames, Consumer<ByteBuffer> done) throws IOException {
        while (!frames.isEmpty()) {
            int count = 0;
            for (Iterator<ByteBuffer> i = frames.iterator(); i.hasNext() && count < MOST_AT_ONCE; ) {
                gather[count++] = i.next();
            }
            channel.write(gather, 0, count);
            for (int i = 0; i < count; i++) {
                if (gather[i].hasRemaining()) {
                    return false;
                }
                done.accept(frames.remove());
            }
        }
        return true;
    }

    @Override
    public void close() {}
}
