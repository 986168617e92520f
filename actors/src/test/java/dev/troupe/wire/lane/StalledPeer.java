package dev.troupe.wire.lane;

import dev.troupe.wire.frame.FrameException;
import dev.troupe.wire.frame.FramePool;
import dev.troupe.wire.frame.Hello;
import dev.troupe.wire.kryo.WireCodec;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** A peer that greets correctly and then never reads, dials or closes. */
final class StalledPeer implements AutoCloseable {
    private final ServerSocketChannel server = ServerSocketChannel.open();
    private final String protocol;

    StalledPeer(WireCodec codec) throws IOException {
        protocol = codec.types().protocol();
        server.bind(new InetSocketAddress("127.0.0.5", 0));
        Thread.ofVirtual().start(this::serve);
    }

    LaneAddress address() throws IOException {
        return new LaneAddress("127.0.0.5", ((InetSocketAddress) server.getLocalAddress()).getPort());
    }

    private void serve() {
        try {
            while (true) {
                greet(server.accept());
            }
        } catch (IOException | FrameException e) {
            // the test has ended
        }
    }

    private void greet(SocketChannel channel) throws IOException, FrameException {
        ByteBuffer in = ByteBuffer.allocate(Hello.MAX_FRAME).order(ByteOrder.LITTLE_ENDIAN);
        Record hello = null;
        while (hello == null) {
            channel.read(in);
            hello = Hello.read(in.flip());
            in.compact();
        }
        Hello theirs = (Hello) hello;
        Hello ours = new Hello(
                theirs.purpose(), theirs.channel(), 55, protocol, address().toString(), theirs.from());
        channel.write(ours.toFrame(new FramePool(Hello.MAX_FRAME)));
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
