package dev.troupe.samples.violations.layers.tensor;

import dev.troupe.samples.violations.layers.cli.LayersCommand;

final class KernelWithACommand {
    static final Class<?> USED = LayersCommand.class;

    private KernelWithACommand() {}
}
