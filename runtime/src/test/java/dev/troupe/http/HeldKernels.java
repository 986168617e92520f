package dev.troupe.http;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** Kernels that stand still before a step while they are held, and count the sequences that stand in one step together. */
final class HeldKernels implements UnaryOperator<Kernels> {
    private final AtomicInteger together = new AtomicInteger();
    private volatile CountDownLatch go = new CountDownLatch(0);

    /** From the next step on. */
    void hold() {
        go = new CountDownLatch(1);
    }

    void release() {
        go.countDown();
    }

    /** The most sequences of one step since this was asked last. */
    int together() {
        return together.getAndSet(0);
    }

    @Override
    public Kernels apply(Kernels kernels) {
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("embed")) {
                        go.await();
                        int sequences = ((TokenBatch) arguments[1]).sequences();
                        together.accumulateAndGet(sequences, Math::max);
                    }
                    try {
                        return method.invoke(kernels, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
