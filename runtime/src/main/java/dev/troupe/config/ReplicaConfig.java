package dev.troupe.config;

/**
 * What the cluster serves ({@code troupe.replica}).
 *
 * @param model registered id
 * @param pipelineParallel stages
 * @param tensorParallel ranks of every stage
 */
public record ReplicaConfig(String model, int pipelineParallel, int tensorParallel) {
    public ReplicaConfig {
        Check.notBlank("replica.model", model);
        Check.atLeast("replica.pipeline-parallel", pipelineParallel, 1);
        Check.atLeast("replica.tensor-parallel", tensorParallel, 1);
    }
}
