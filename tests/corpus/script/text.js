const sale = {id: payment.id, fee: payment.fee};
kv.set('sale', JSON.stringify(sale));
return sale;
