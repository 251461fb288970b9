package dev.t2l.backend;

/** A call of the CUDA driver that failed: what was asked, on which device, and what the driver says. */
public final class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public CudaException(String message) {
        super(message);
    }

    public CudaException(String message, Throwable cause) {
        super(message, cause);
    }
}
