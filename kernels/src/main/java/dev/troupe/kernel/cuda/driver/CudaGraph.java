package dev.troupe.kernel.cuda.driver;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;

/** Work that was noted once and is added to streams as a whole, which costs the host as much as one kernel. */
public final class CudaGraph implements AutoCloseable {
    private final CudaDevice device;
    private final CUgraphExec executable = new CUgraphExec();

    CudaGraph(CudaDevice device, CUgraph graph) {
        this.device = device;
        CudaException.check(JCudaDriver.cuGraphInstantiate(executable, graph, 0), "cuGraphInstantiate on " + device);
    }

    CUgraphExec executable() {
        return executable;
    }

    @Override
    public void close() {
        device.makeCurrent();
        CudaException.checkRelease(JCudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
    }
}
