package dev.troupe.kernel.cuda.driver;

import jcuda.driver.CUdeviceptr;

/** An address of a device as JCuda takes it. */
final class DeviceAddress extends CUdeviceptr {
    /** To be filled by an allocation. */
    DeviceAddress() {}

    DeviceAddress(long address) {
        super(new CUdeviceptr(), address);
    }

    /** What an allocation has filled in. */
    long allocated() {
        return getNativePointer();
    }
}
