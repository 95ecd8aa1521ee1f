"""no_grad, enable_grad and scope: nested, as decorators, per thread and per asyncio task."""

import asyncio
import threading

import pytest

import minigraph as mg


def recorded():
    """Tell whether an operation is recorded here."""
    return (mg.Tensor(1.0, requires_grad=True) * 2).requires_grad


def here():
    return mg.Tensor(1.0).scope


def test_modes_nest_and_end():
    assert recorded()
    with mg.no_grad():
        assert not recorded()
        with mg.enable_grad():
            assert recorded()
            with mg.no_grad():
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_modes_end_with_an_error():
    with pytest.raises(ZeroDivisionError), mg.no_grad(), mg.scope("inner"):
        raise ZeroDivisionError
    assert recorded()
    assert here() == ()


@pytest.mark.parametrize(("mode", "records"), [(mg.no_grad, False), (mg.enable_grad, True)])
def test_modes_decorate_functions(mode, records):
    @mode()
    def function(x, *, y):
        """Documented."""
        return recorded(), x + y

    for outer in (mg.no_grad(), mg.enable_grad()):
        with outer:
            assert function(1, y=2) == (records, 3)
    assert function.__name__ == "function"
    assert function.__doc__ == "Documented."


def test_decorated_function_may_recurse():
    @mg.no_grad()
    def countdown(n):
        return [not recorded(), *(countdown(n - 1) if n else [])]

    assert all(countdown(3))
    assert recorded()


def test_one_setting_may_be_entered_again_inside_itself():
    mode = mg.no_grad()
    layer = mg.scope("layer")
    with mode, layer:
        with mg.enable_grad(), mode, layer:
            assert not recorded()
            assert here() == ("layer", "layer")
        assert not recorded()
        assert here() == ("layer",)
    assert recorded()


def test_generators_and_coroutines_are_refused():
    def generator():
        yield

    async def coroutine():
        pass

    async def stream():
        yield

    for function in (generator, coroutine, stream):
        for mode in (mg.no_grad(), mg.enable_grad(), mg.scope("x")):
            with pytest.raises(TypeError, match=rf"{function.__name__}.*with"):
                mode(function)


def test_threads_have_modes_of_their_own():
    inside, checked = threading.Event(), threading.Event()
    found = []

    def other():
        with mg.no_grad(), mg.scope("other"):
            inside.set()
            checked.wait(10)
            found.append((recorded(), here()))

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    assert recorded()
    assert here() == ()
    with mg.no_grad():
        fresh = []
        newcomer = threading.Thread(target=lambda: fresh.append(recorded()))
        newcomer.start()
        newcomer.join()
    checked.set()
    thread.join()
    assert found == [(False, ("other",))]
    assert fresh == [True]


def test_one_setting_serves_many_threads_at_once():
    layer, barrier, wrong = mg.scope("shared"), threading.Barrier(8), []

    def work(i):
        with mg.scope(f"thread{i}"):
            barrier.wait(10)
            for _ in range(300):
                with layer:
                    if here() != (f"thread{i}", "shared"):
                        wrong.append(i)
            if here() != (f"thread{i}",):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_asyncio_tasks_have_modes_of_their_own():
    async def silent():
        with mg.no_grad(), mg.scope("silent"):
            await asyncio.sleep(0)
            result = recorded(), here()
            await asyncio.sleep(0)
        return result

    async def loud():
        results = []
        for _ in range(4):
            results.append((recorded(), here()))
            await asyncio.sleep(0)
        return results

    async def main():
        return await asyncio.gather(silent(), loud(), silent())

    first, between, last = asyncio.run(main())
    assert first == last == (False, ("silent",))
    assert between == [(True, ())] * 4


def test_scopes_nest_and_are_kept_by_tensors():
    with mg.scope("model"):
        x = mg.Tensor(1.0, requires_grad=True)
        with mg.scope("layer1"):
            y = x * 2
        z = y * 2
    assert [t.scope for t in (x, y, z, z * 2)] == [("model",), ("model", "layer1"), ("model",), ()]


def test_scope_decorates_and_does_not_change_the_mode():
    @mg.scope("block")
    def function():
        return here(), recorded()

    assert function() == (("block",), True)
    with mg.no_grad():
        assert function() == (("block",), False)


@pytest.mark.parametrize("name", [None, 1, b"layer", print], ids=repr)
def test_scope_name_is_a_string(name):
    with pytest.raises(TypeError, match="string"):
        mg.scope(name)


def test_leaves_made_under_no_grad_may_require_a_gradient():
    with mg.no_grad():
        w = mg.Tensor(2.0, requires_grad=True)
    (w * w).backward()
    assert w.grad == 4


def test_backward_works_under_no_grad():
    w = mg.Tensor(2.0, requires_grad=True)
    y = w * w
    with mg.no_grad():
        y.backward()
    assert w.grad == 4


def test_nothing_of_the_operands_is_kept_under_no_grad():
    w = mg.Tensor(2.0, requires_grad=True)
    with mg.no_grad():
        y = w * w
    assert y.op is None
    assert y.inputs == ()
    assert not y.requires_grad
