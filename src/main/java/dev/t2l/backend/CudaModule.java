package dev.t2l.backend;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** The kernels of one source of {@code cuda/}, loaded onto the device. */
final class CudaModule {
    private final CudaDevice device;
    private final String name;
    private final CUmodule module;
    private final Map<String, CudaFunction> functions = new ConcurrentHashMap<>();

    CudaModule(CudaDevice device, String name, CUmodule module) {
        this.device = device;
        this.name = name;
        this.module = module;
    }

    /**
     * The kernel declared {@code extern "C" __global__ void name(...)}.
     *
     * @throws CudaException if the source has none of that name
     */
    CudaFunction function(String function) {
        return functions.computeIfAbsent(function, this::find);
    }

    private CudaFunction find(String function) {
        device.makeCurrent();
        var handle = new CudaFunction.Handle();
        try {
            JCudaDriver.cuModuleGetFunction(handle, module, function);
        } catch (jcuda.CudaException e) {
            throw new CudaException("cuda/" + name + ".cu has no kernel '" + function + "': " + e.getMessage(), e);
        }
        return new CudaFunction(device, function, handle);
    }
}
