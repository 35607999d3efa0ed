import sys

def test_it(worker, working):
    print(working.processes.list().__len__(), working.processes.broken())
    def show(r): print(r.status_code, r.content_type, r.get_data(as_text=True)[:600], {k:v for k,v in r.headers.items() if k in ('Location','Link','Preference-Applied','Content-Disposition')}); return r
    ex=lambda p,b,**h: show(worker.post(f'/processes/{p}/execution',json=b,headers={k.replace('_','-'):v for k,v in h.items()}))
    show(worker.get('/processes/fail'))
    ex('add',{"inputs":{"a":1}})
    r=ex('add',{"inputs":{"a":1}},Prefer='respond-async')
    show(worker.get(r.headers['Location']))
    ex('add',{"inputs":{"a":"x"}})
    ex('add',{"inputs":{"a":1},"response":"document"})
    ex('add',{"inputs":{"a":1},"outputs":{"result":{"transmissionMode":"reference"}}})
    ex('both',{"inputs":{"text":"t"}})
    ex('both',{"inputs":{"text":"t"},"response":"raw"})
    r=ex('fail',{"inputs":{"how":"x"}})
    show(worker.get(r.json['instance'])) ; show(worker.get(r.json['instance']+'/logs'))
    ex('fail',{"inputs":{"how":"input"}})
    ex('fail',{"inputs":{"how":"disk"}})
    ex('fail',{"inputs":{"how":"exit"}})
    ex('endless',{})
    ex('page',{"inputs":{"text":"<p>"}})
    r=ex('many',{})
    show(worker.get('/jobs'))
    assert 0
