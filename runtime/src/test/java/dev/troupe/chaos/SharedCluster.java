package dev.troupe.chaos;

import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests the one cluster of processes of this module's run, whole. It starts with the first test that wants it and ends
 * after the last test of all: classes that use it stand together at the end ({@code @Order}).
 */
final class SharedCluster implements BeforeEachCallback, ParameterResolver {
    /** For {@code @Order}: after all classes that do not use it. */
    static final int LAST = 1_000_000_000 + Integer.MAX_VALUE / 2;

    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(SharedCluster.class);

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        cluster(context).makeWhole();
    }

    private static ChaosCluster cluster(ExtensionContext context) {
        return context.getRoot()
                .getStore(NAMESPACE)
                .getOrComputeIfAbsent(ChaosCluster.class, _ -> start(), ChaosCluster.class);
    }

    private static ChaosCluster start() {
        try {
            return ChaosCluster.start();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException("cannot start the cluster", e);
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == ChaosCluster.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return cluster(context);
    }
}
