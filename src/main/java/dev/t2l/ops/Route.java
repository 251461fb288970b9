package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.Product;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * Arrow routing (Ostapenko et al. 2024, arXiv 2405.11157, section 4): each row chooses among the adapters of its list by how its input lies
 * along their prototypes ({@link ArrowPrototype}). As in PEFT's ArrowConfig: the input is taken as it is, the softmax is one over the
 * chosen adapters alone, each keeps its own scale.
 */
public final class Route {
    private Route() {
    }

    /**
     * {@code weight_s = given_s * softmax over the best k of |prototype_s . x| / temperature}, 0 for the others; nothing where rows do not
     * choose.
     *
     * @param x    f32 [n, in], the input of the adapted product
     * @param rows whose weights are written; may be null
     */
    public static void forward(Backend backend, Tensor x, LoraRows rows) {
        if (rows == null || rows.routing() == null) {
            return;
        }
        LoraRows.Routing routing = rows.routing();
        Check.matrix("Route", "x", x, DType.F32, x.rows(), x.cols());
        Check.that(rows.slots().rows() >= x.rows(), "Route", "slots must have a row for each row of x", rows.slots());
        Check.matrix("Route", "weights", rows.weights(), DType.F32, rows.slots().rows(), rows.slots().cols());
        Check.matrix("Route", "given", routing.given(), DType.F32, rows.slots().rows(), rows.slots().cols());
        Check.matrix("Route", "choices", routing.choices(), DType.F32, rows.slots().rows(), 2);
        Check.elements("Route", "table", routing.table(), DType.U8, (long) routing.prototypes().size() * LoraRows.Routing.ENTRY_BYTES);
        for (int k = 0; k < routing.prototypes().size(); k++) {
            Tensor prototype = routing.prototypes().get(k);
            if (prototype != null) {
                Check.elements("Route", "prototype", prototype, DType.F32, x.cols());
            }
        }
        backend.route(x, rows);
    }

    /** The same for all of several products of one input. */
    static void forward(Backend backend, Tensor x, List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            forward(backend, x, products.get(i).lora());
        }
    }

    static boolean chosen(Product product) {
        return product.lora() != null && product.lora().routing() != null;
    }

    static boolean chosen(List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            if (chosen(products.get(i))) {
                return true;
            }
        }
        return false;
    }
}
