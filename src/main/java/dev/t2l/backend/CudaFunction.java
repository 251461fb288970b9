package dev.t2l.backend;

import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A kernel on the device. */
final class CudaFunction {
    private static final ThreadLocal<CudaLaunch> LAUNCH = ThreadLocal.withInitial(CudaLaunch::new);

    /** JCuda's handle, and the number inside it. */
    static final class Handle extends CUfunction {
        long value() {
            return getNativePointer();
        }
    }

    private final CudaDevice device;
    private final String name;
    private final Handle handle;
    private final long value;

    CudaFunction(CudaDevice device, String name, Handle handle) {
        this.device = device;
        this.name = name;
        this.handle = handle;
        this.value = handle.value();
    }

    /**
     * The calling thread's launch, emptied for this kernel: pass every parameter in order, then {@link CudaLaunch#run}, before
     * the next call of this method on the same thread.
     */
    CudaLaunch args() {
        return LAUNCH.get().begin(this);
    }

    /** Lets a block of this kernel have more than 48 KiB of dynamic shared memory. */
    CudaFunction maxShared(int bytes) {
        device.makeCurrent();
        JCudaDriver.cuFuncSetAttribute(handle, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
        return this;
    }

    CudaDevice device() {
        return device;
    }

    long value() {
        return value;
    }

    @Override
    public String toString() {
        return name;
    }
}
